"""Advises on memory, slots, quantization and speed, from a model's header and measured rates.

serving/rates.json   {"NAME": {"prompt": 82.1, "generation": 14.5, "weights_bytes": ..., "when": "2026-11-25"}}
"""

import json
import os
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rag.files import write_whole
from rag.ollama.client import OllamaClient
from rag.ollama.hardware import Machine
from rag.ollama.model_creation import KINDS
from rag.ollama.sizing import Memory, ModelShape, Serving, kv_bytes, memory_of, requantized, slots_that_fit
from rag.settings import Settings

_GPU_SLOTS = 10
_LEAST_CORES, _LEAST_MEMORY_BYTES = 4, 8_000_000_000

_ROUNDS = 3
_PROMPT_WORDS = 140  # about 400 tokens, as a support question with its passages has
_WARMING_WORDS = 4
_PATIENCE_SECONDS = 20.0  # after which no other round begins: one is enough to know a slow machine
_ANSWER_TOKENS = 32
_LETTERS = "abcdefghijklmnoprstuvw"
_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens a second of one answer alone, medians of up to three; ``weights_bytes`` are those of the model."""

    prompt: float
    generation: float
    weights_bytes: int
    when: str


_KEPT = TypeAdapter(dict[str, Rates])


def measure_rates(client: OllamaClient, model: str, weights_bytes: int, *, options: Mapping[str, int]) -> Rates:
    """Ask a loaded model for a few tokens after prompts that it has never seen, so that no cache serves them.

    ``options`` are those that it is loaded with.  Raises ``ServingError``.
    """
    pairs: list[tuple[float, float]] = []
    started_at = time.monotonic()
    for number in range(_ROUNDS + 1):
        if pairs and time.monotonic() - started_at > _PATIENCE_SECONDS:
            break
        pair = time_once(client, model, options, number)
        pairs += [pair] if number and pair is not None else []  # the first one warms up
    medians = [round(statistics.median(rates), 1) for rates in zip(*pairs, strict=True)] or [0.0, 0.0]
    return Rates(medians[0], medians[1], weights_bytes, date.today().isoformat())


def time_once(client: OllamaClient, model: str, options: Mapping[str, int], number: int) -> tuple[float, float] | None:
    """Return the tokens a second of one prompt that the model has not seen, and of the answer to it.

    ``number`` chooses the prompt; 0 is a short one that warms up.  None where Ollama told no times.  Raises
    ``ServingError``.
    """
    chance = random.Random(f"{number} {model} {client.version()}")
    words = _PROMPT_WORDS if number else _WARMING_WORDS
    text = " ".join("".join(chance.choices(_LETTERS, k=4)) for _ in range(words))
    prompt = f"{number} {text}\nOnce upon a time"
    asked = {**options, "num_predict": _ANSWER_TOKENS, "temperature": 0}
    found = client.generate({"model": model, "prompt": prompt, "raw": True, "options": asked})
    if not (found.get("prompt_eval_duration") and found.get("eval_duration")):
        return None
    prompt_rate = found["prompt_eval_count"] / found["prompt_eval_duration"] * _NANOSECONDS
    return prompt_rate, found["eval_count"] / found["eval_duration"] * _NANOSECONDS


def stored_rates(settings: Settings) -> dict[str, Rates]:
    """Return the stored rates, by model; none if the file is unreadable."""
    try:
        return _KEPT.validate_json(_path(settings).read_bytes())
    except (OSError, ValidationError):
        return {}


def store_rates(settings: Settings, model: str, rates: Rates) -> None:
    """Store a model's rates beside those of others."""
    whole = {**stored_rates(settings), model: rates}
    path = _path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({name: asdict(one) for name, one in whole.items()}, indent=1) + "\n")


def _path(settings: Settings) -> Path:
    return settings.data_dir / "serving" / "rates.json"


def expected_generation(rates: Rates, weights_bytes: int) -> float:
    """Return tokens a second with other weights: each token reads all of them once, so memory's speed decides.

    >>> expected_generation(Rates(80.0, 15.0, 1_000_000_000, ""), 2_000_000_000)
    7.5
    """
    return round(rates.generation * rates.weights_bytes / weights_bytes, 1)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of keeping the weights.  ``generation`` is tokens a second, None where nothing was measured."""

    quantization: str
    weights_bytes: int
    total_bytes: int
    fits: bool
    generation: float | None
    installed: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """The result of ``size``.  ``slots_by_memory`` fit; ``slots`` and ``quantization`` (empty: none fits) are advised.

    ``rates`` were measured with this very model; ``loaded_bytes`` is what ``/api/ps`` says now, 0 where it is not
    loaded with these slots and this context.
    """

    shape: ModelShape
    serving: Serving
    machine: Machine
    memory: Memory
    fits: bool
    slots_by_memory: int
    slots: int
    kv_bytes_a_slot: int
    variants: tuple[Variant, ...]
    quantization: str
    rates: Rates | None
    loaded_bytes: int = 0

    @property
    def is_below_minimum(self) -> bool:
        """Whether the machine has fewer than 4 cores or less than 8 GB."""
        return self.machine.cores < _LEAST_CORES or self.machine.memory_bytes < _LEAST_MEMORY_BYTES


def advise(shape: ModelShape, serving: Serving, machine: Machine, rates: Rates | None = None) -> Advice:
    """Compute the advice for serving a model so on a machine."""
    memory = memory_of(shape, serving)
    by_memory = slots_that_fit(shape, serving, machine.budget_bytes)
    most = _GPU_SLOTS if serving.on_gpu else machine.cores
    variants = tuple(_variants(shape, serving, machine, rates))
    fitting = [one.quantization for one in variants if one.fits]
    return Advice(
        shape=shape,
        serving=serving,
        machine=machine,
        memory=memory,
        fits=memory.total_bytes <= machine.budget_bytes,
        slots_by_memory=by_memory,
        slots=min(by_memory, most),
        kv_bytes_a_slot=kv_bytes(shape, replace(serving, slots=1)),
        variants=variants,
        quantization=fitting[0] if fitting else "",
        rates=rates,
    )


def serving_of(machine: Machine, context_tokens: int, slots: int, environment: dict[str, str] | None = None) -> Serving:
    """Return the configuration of a server with these numbers and this environment."""
    found = dict(os.environ) if environment is None else environment
    flash = found.get("OLLAMA_FLASH_ATTENTION", "1").lower() not in {"0", "false"}
    return Serving(
        context_tokens, slots, found.get("OLLAMA_KV_CACHE_TYPE", "f16").lower(), flash, on_gpu=machine.gpu_bytes > 0
    )


def _variants(shape: ModelShape, serving: Serving, machine: Machine, rates: Rates | None) -> Sequence[Variant]:
    """Return the quantizations that Ollama can make, largest first, with the model's own among them."""
    shapes = {kind.upper(): requantized(shape, kind) for kind in ("F16", *KINDS)}
    shapes[shape.quantization or "?"] = shape
    found = []
    for kind, one in sorted(shapes.items(), key=lambda item: -item[1].weights_bytes):
        total = memory_of(one, serving).total_bytes
        found.append(
            Variant(
                quantization=kind,
                weights_bytes=one.weights_bytes,
                total_bytes=total,
                fits=total <= machine.budget_bytes,
                generation=expected_generation(rates, one.weights_bytes) if rates and rates.generation else None,
                installed=one is shape,
            )
        )
    return found
