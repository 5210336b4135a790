"""Measures and stores how fast this machine reads prompts and writes answers with a model.

serving/rates.json   {"NAME": {"prompt": 82.1, "generation": 14.5, "weights_bytes": ..., "when": "2026-11-25"}}
"""

import json
import random
import statistics
import time
from collections.abc import Mapping
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


def measure_rates(client: OllamaClient, model: str, weights_bytes: int, *, options: Mapping[str, int]) -> Rates:
    """Ask a loaded model for a few tokens behind prompts that it has never seen, so that no cache serves them.

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
    """Return the tokens a second of one prompt that the model has not seen, and of the answer behind it.

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
