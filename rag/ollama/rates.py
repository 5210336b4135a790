"""Measures and stores how fast this machine reads prompts and writes answers with a model.

serving/rates.json   {"NAME": {"prompt": 82.1, "generation": 14.5, "weights_bytes": ..., "when": "2026-11-25"}}
"""

import json
import random
import statistics
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rag.files import write_whole
from rag.ollama.client import OllamaClient
from rag.settings import Settings

_ROUNDS = 3
_PROMPT_WORDS = 140  # about 400 tokens, as a support question with its passages has
_WARMING_WORDS = 4
_PATIENCE_SECONDS = 20.0  # behind which no other round is begun: a slow machine is known by one
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


def measure_rates(client: OllamaClient, model: str, weights_bytes: int, *, context_tokens: int) -> Rates:
    """Ask a loaded model for a few tokens behind prompts that it has never seen, so that no cache serves them.

    Raises ``ServingError``.
    """
    chance = random.Random(f"0 {model} {client.version()}")
    options = {"num_ctx": context_tokens, "num_predict": _ANSWER_TOKENS, "temperature": 0}
    prompts: list[float] = []
    answers: list[float] = []
    started_at = time.monotonic()
    for number in range(_ROUNDS + 1):
        if prompts and time.monotonic() - started_at > _PATIENCE_SECONDS:
            break
        words = _PROMPT_WORDS if number else _WARMING_WORDS
        text = " ".join("".join(chance.choices(_LETTERS, k=4)) for _ in range(words))
        prompt = f"{number} {text}\nOnce upon a time"
        found = client.generate({"model": model, "prompt": prompt, "raw": True, "options": options})
        if number and found.get("prompt_eval_duration") and found.get("eval_duration"):  # the first one warms up
            prompts.append(found["prompt_eval_count"] / found["prompt_eval_duration"] * _NANOSECONDS)
            answers.append(found["eval_count"] / found["eval_duration"] * _NANOSECONDS)
    if not prompts:
        return Rates(0.0, 0.0, weights_bytes, date.today().isoformat())
    return Rates(
        round(statistics.median(prompts), 1),
        round(statistics.median(answers), 1),
        weights_bytes,
        date.today().isoformat(),
    )


def kept_rates(settings: Settings) -> dict[str, Rates]:
    """Return what was measured here before, by model; nothing where the file is not readable."""
    try:
        return _KEPT.validate_json(_path(settings).read_bytes())
    except (OSError, ValidationError):
        return {}


def keep_rates(settings: Settings, model: str, rates: Rates) -> None:
    """Keep a model's rates beside those of others."""
    whole = {**kept_rates(settings), model: rates}
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
