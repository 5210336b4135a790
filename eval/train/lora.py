"""Trains a LoRA adapter: low-rank additions to the attention of a model whose own weights stay as they are.

    W x  ->  W x + alpha / rank * B (A x)        E. Hu and others, LoRA, 2021

Loss is on the reply alone: the prompt is read, not learnt.  Only the reply's last hidden states meet the vocabulary,
whose matrix is a third of a small model.  The adapter is kept every few steps with the optimizer's state, so an
interrupted run resumes as if nothing had happened; the order of examples follows from the seed.
"""

import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eval.train.weights import TUNED_MODULES

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ADAPTER, OPTIMIZER, STATE, BEST = "adapter.safetensors", "optimizer.pt", "state.json", "best.safetensors"


@dataclass(frozen=True, slots=True)
class LoraOptions:
    """How an adapter is trained.

    ``rank`` is that of B A, and ``alpha`` = 2 rank, as usual.  A step adds up the gradients of ``batch`` examples.
    ``keep_every`` steps the state is kept; ``checks`` times an epoch the loss is taken of examples that are not trained
    on, and after ``patience`` of these without a better one training stops.
    """

    epochs: int = 2
    rank: int = 8
    learning_rate: float = 3e-4
    batch: int = 4
    seed: int = 0
    keep_every: int = 5
    checks: int = 2
    patience: int = 2

    @property
    def alpha(self) -> int:
        """The factor of B A, times the rank."""
        return 2 * self.rank


@dataclass(frozen=True, slots=True)
class TokenExample:
    """The tokens of a prompt, and of the reply that is learnt."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Length of both."""
        return len(self.prompt) + len(self.reply)


@dataclass(frozen=True, slots=True)
class TrainingState:
    """How far a training has come: steps done, losses (nats a token of a reply), and whether it is over.

    ``best_loss`` is the lowest one of the examples that are not trained on, None before the first look at them.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: tuple[float, ...] = ()
    checked: tuple[tuple[int, float], ...] = ()
    over: bool = False
    stopped_early: bool = False

    @property
    def best_loss(self) -> float | None:
        """The lowest loss of the examples that are not trained on."""
        return min((loss for _, loss in self.checked), default=None)


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """``step`` of ``steps``; ``tokens`` of ``all_tokens`` were read, those of this process in ``seconds``."""

    step: int
    steps: int
    tokens: int
    all_tokens: int
    loss: float
    seconds_left: float


def steps_of(examples: int, options: LoraOptions) -> int:
    """Return the number of steps of a whole training."""
    return math.ceil(examples / options.batch) * options.epochs


def train(
    model: "PreTrainedModel",
    examples: Sequence[TokenExample],
    checks: Sequence[TokenExample],
    folder: Path,
    options: LoraOptions,
    report: Callable[[TrainingProgress], None] = lambda progress: None,
) -> TrainingState:
    """Train, or go on where ``folder`` says that it was interrupted; the best adapter is ``BEST`` there.

    ``checks`` are examples that are not trained on; without any the last adapter counts as the best.
    """
    training = _Training(model, examples, checks, folder, options)
    return training.run(report)


def read_parameters(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return an adapter's matrices by PEFT's names."""
    from safetensors.numpy import load_file

    return dict(load_file(path))


def read_state(folder: Path) -> TrainingState:
    """Return a training's state; a new one if there is none."""
    try:
        value = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return TrainingState()
    checked = tuple((int(step), float(loss)) for step, loss in value.pop("checked"))
    return TrainingState(**{**value, "losses": tuple(value["losses"]), "checked": checked})


class _Training:
    """One training: the model with its adapter, the optimizer, and where both are kept."""

    def __init__(
        self,
        model: "PreTrainedModel",
        examples: Sequence[TokenExample],
        checks: Sequence[TokenExample],
        folder: Path,
        options: LoraOptions,
    ) -> None:
        import torch
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(options.seed)
        configuration = LoraConfig(
            r=options.rank, lora_alpha=options.alpha, target_modules=list(TUNED_MODULES), lora_dropout=0.0, bias="none"
        )
        self._model: Any = get_peft_model(model, configuration)
        self._examples, self._checks, self._folder, self._options = examples, checks, folder, options
        self._parameters: Mapping[str, torch.Tensor] = {
            name: one for name, one in self._model.named_parameters() if one.requires_grad
        }
        self._optimizer = torch.optim.AdamW(self._parameters.values(), lr=options.learning_rate, weight_decay=0.0)
        self._steps = steps_of(len(examples), options)
        self._steps_an_epoch = self._steps // options.epochs
        self._state = self._resume()

    def run(self, report: Callable[[TrainingProgress], None]) -> TrainingState:
        self._folder.mkdir(parents=True, exist_ok=True)
        done_before, began_at = self._state.tokens, time.monotonic()
        all_tokens = self._options.epochs * sum(one.tokens for one in self._examples)
        while not self._state.over:
            step_began_at = time.monotonic()
            loss, tokens = self._step(self._state.step)
            state = self._state
            self._state = replace(
                state,
                step=state.step + 1,
                tokens=state.tokens + tokens,
                losses=(*state.losses, round(loss, 4)),
                seconds=round(state.seconds + time.monotonic() - step_began_at, 1),
            )
            if self._is_to_be_checked():
                self._check()
            if self._state.step == self._steps:
                self._state = replace(self._state, over=True)
            if self._state.over or self._state.step % self._options.keep_every == 0:
                self._keep()
            left = all_tokens - self._state.tokens
            pace = (time.monotonic() - began_at) / (self._state.tokens - done_before)
            report(TrainingProgress(self._state.step, self._steps, self._state.tokens, all_tokens, loss, left * pace))
        if not (self._folder / BEST).exists():
            self._save(BEST)
        return self._state

    def _step(self, step: int) -> tuple[float, int]:
        """Learn from one batch; return its mean loss and its tokens."""
        import torch

        epoch, number = divmod(step, self._steps_an_epoch)
        order = list(range(len(self._examples)))
        random.Random(f"{self._options.seed}-{epoch}").shuffle(order)
        batch = [self._examples[at] for at in order[number * self._options.batch :][: self._options.batch]]
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.learning_rate * self._pace(step)
        losses = []
        for example in batch:
            loss: Any = self._loss(example)  # torch leaves backward untyped
            (loss / len(batch)).backward()
            losses.append(float(loss.detach()))
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return sum(losses) / len(losses), sum(one.tokens for one in batch)

    def _pace(self, step: int) -> float:
        """Return the share of the learning rate: up over the first tenth, then down to nothing along a cosine."""
        warm = max(1, self._steps // 10)
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self._steps - warm)))

    def _loss(self, example: TokenExample) -> "torch.Tensor":
        import torch

        tokens = torch.tensor([[*example.prompt, *example.reply]])
        inner = self._model.get_base_model()
        with torch.autocast("cpu", torch.bfloat16):
            hidden = inner.model(input_ids=tokens[:, :-1]).last_hidden_state
            scores = inner.lm_head(hidden[0, len(example.prompt) - 1 :])
        return torch.nn.functional.cross_entropy(scores.float(), tokens[0, len(example.prompt) :])

    def _is_to_be_checked(self) -> bool:
        every = max(1, self._steps_an_epoch // self._options.checks)
        return bool(self._checks) and (self._state.step % every == 0 or self._state.step == self._steps)

    def _check(self) -> None:
        """Take the loss of the examples that are not trained on; keep the best adapter, stop where none gets better."""
        import torch

        with torch.no_grad():
            loss = sum(float(self._loss(one)) for one in self._checks) / len(self._checks)
        best = self._state.best_loss
        if best is None or loss < best:
            self._save(BEST)
        checked = (*self._state.checked, (self._state.step, round(loss, 4)))
        lowest = min(range(len(checked)), key=lambda at: checked[at][1])
        is_over = len(checked) - 1 - lowest >= self._options.patience
        self._state = replace(self._state, checked=checked, over=is_over, stopped_early=is_over)

    def _resume(self) -> TrainingState:
        import torch
        from safetensors.torch import load_file

        state = read_state(self._folder)
        if state.step:
            kept = load_file(self._folder / ADAPTER)
            with torch.no_grad():
                for name, parameter in self._parameters.items():
                    parameter.copy_(kept[name])
            self._optimizer.load_state_dict(torch.load(self._folder / OPTIMIZER, weights_only=True))
        return state

    def _keep(self) -> None:
        """Save the training's state; the state file last, for it says that the others are whole."""
        import torch

        self._save(ADAPTER)
        partial = self._folder / f"{OPTIMIZER}.part"
        torch.save(self._optimizer.state_dict(), partial)
        partial.replace(self._folder / OPTIMIZER)
        partial = self._folder / f"{STATE}.part"
        partial.write_text(json.dumps(asdict(self._state)), encoding="utf-8")
        partial.replace(self._folder / STATE)

    def _save(self, name: str) -> None:
        from safetensors.torch import save_file

        partial = self._folder / f"{name}.part"
        save_file({key: one.detach().float().contiguous() for key, one in self._parameters.items()}, partial)
        partial.replace(self._folder / name)
