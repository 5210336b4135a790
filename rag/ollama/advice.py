"""Advises on memory, slots, quantization and speed, from a model's header and measured rates."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.ollama.hardware import Machine
from rag.ollama.model_creation import KINDS
from rag.ollama.rates import Rates, expected_generation
from rag.ollama.sizing import Memory, ModelShape, Serving, kv_bytes, memory_of, requantized, slots_that_fit

_GPU_SLOTS = 10
_LEAST_CORES, _LEAST_MEMORY_BYTES = 4, 8_000_000_000


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
    """What ``size`` tells.  ``slots_by_memory`` fit; ``slots`` are advised; ``quantization`` is, empty where none fits.

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
    def below_the_articles_least(self) -> bool:
        """Tell whether the machine has fewer than 4 cores or less than 8 GB."""
        return self.machine.cores < _LEAST_CORES or self.machine.memory_bytes < _LEAST_MEMORY_BYTES


def advise(shape: ModelShape, serving: Serving, machine: Machine, rates: Rates | None = None) -> Advice:
    """Do the arithmetic for a model that is to be served so on a machine."""
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
    """Return how a server is set that is started with these numbers and this environment."""
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
