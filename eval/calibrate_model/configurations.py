"""What is tried: each way of keeping the weights, with each number of slots and each context."""

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, slots=True)
class Configuration:
    """``kind`` is a quantization, or ``AS_IS``; ``model`` is the name in the server that tries it."""

    kind: str
    model: str
    slots: int
    context_tokens: int

    @property
    def key(self) -> str:
        """Name its files: the kind, slots and context."""
        return f"{self.kind}-{self.slots}x{self.context_tokens}"


def configurations(
    models: dict[str, str], slots: tuple[int, ...], contexts: tuple[int, ...]
) -> tuple[Configuration, ...]:
    """Return all combinations; ``models`` maps a kind to the model's name."""
    return tuple(
        Configuration(kind, name, slot, context)
        for (kind, name), context, slot in product(models.items(), contexts, slots)
    )


@dataclass(frozen=True, slots=True)
class Served:
    """What the server showed of a configuration: ``/api/ps``'s bytes, and tokens a second of one answer alone.

    ``asking_seconds`` is for how long questions were asked, with every slot busy.
    """

    memory_bytes: int
    prompt_rate: float
    generation_rate: float
    asking_seconds: float
