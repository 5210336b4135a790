"""``python -m rag.ollama size``: a model's memory, what fits, and the arithmetic behind it."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from rag.cli import Commands, add_command, positive_integer
from rag.errors import ModelMissing
from rag.ollama.advice import Advice, advise, measure_rates, serving_of, store_rates, stored_rates
from rag.ollama.client import OllamaClient
from rag.ollama.gguf import read_header
from rag.ollama.hardware import Machine
from rag.ollama.models import choose_among, find_installed, is_stand_in
from rag.ollama.server import server_environment
from rag.ollama.sizing import BATCH_TOKENS, KV_BYTES, ModelShape, Serving, context_of
from rag.schema import Language
from rag.settings import Settings
from rag.terminal import print_json
from rag.translate import translate

_GB = 1e9

ARTICLE = (
    ("FP16", "14 GB", "-", "0 %"),
    ("INT8 (Q8_0)", "7.5 GB", "+35 %", "2.1 %"),
    ("Q4_K_M", "4.2 GB", "+120 %", "5.3 %"),
)
"""Published figures of a 7B model: weights, speed against FP16, loss of accuracy.  Printed beside, never used."""


def shape_of_installed(client: OllamaClient, name: str) -> ModelShape:
    """Return the shape of a model that Ollama holds.  Raises ``ModelMissing`` or ``ModelUnfit``."""
    found = find_installed(client.models(), name)
    if found is None:
        raise ModelMissing(model=name)
    details = client.show(found.name)
    return ModelShape.of(found.name, details.metadata, details.tensors, details.quantization)


def add_size_command(commands: Commands) -> None:
    """Add ``size`` to the parser's commands."""
    text = "what a model takes, what fits on this machine, and why  估算模型所需资源"
    parser = add_command(commands, "size", size, text)
    parser.add_argument("model", nargs="?", default="", metavar="NAME|FILE.gguf", help="default: the desk's  模型")
    parser.add_argument("--slots", type=positive_integer, default=0, metavar="N", help="answers at once  并发数")
    parser.add_argument(
        "--context", type=positive_integer, default=0, metavar="TOKENS", help="of each answer  上下文长度"
    )
    parser.add_argument("--measure", action="store_true", help="load it and time it, some seconds  实测速度")
    parser.add_argument("--json", action="store_true", help="print JSON  以 JSON 输出")


def size(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    """Run the command.  A file needs no server; a name does."""
    machine = Machine.here()
    slots, context = options.slots or settings.parallel_slots, options.context or settings.context_tokens
    serving = serving_of(machine, context, slots, server_environment(settings))
    client = OllamaClient(settings.ollama_url)
    path = Path(options.model)
    is_file = options.model.endswith(".gguf") or (options.model != "" and path.is_file())
    if is_file:
        header = read_header(path)
        shape = ModelShape.of(path.name, header.metadata, header.tensors, header.file_type)
    else:
        shape = shape_of_installed(client, options.model or choose_among(client.models(), settings.model).name)
    if options.measure and not is_file:
        measured = measure_rates(client, shape.name, shape.weights_bytes, options={"num_ctx": context})
        store_rates(settings, shape.name, measured)
    advice = advise(shape, serving, machine, stored_rates(settings).get(shape.name))
    if not is_file:
        advice = replace(advice, loaded_bytes=_loaded_bytes(client, shape, serving))
    if options.json:
        print_json(as_json(advice))
    else:
        for line in lines(advice, language):
            print(line)
    return 0


def _loaded_bytes(client: OllamaClient, shape: ModelShape, serving: Serving) -> int:
    context = context_of(shape, serving)
    return next(
        (one.memory_bytes for one in client.loaded() if one.name == shape.name and one.context_tokens == context), 0
    )


def as_json(advice: Advice) -> dict[str, object]:
    """Return the figures for programs, without the list of tensors."""
    shape = {key: value for key, value in asdict(advice.shape).items() if key != "tensors"}
    sums = {"parameters": advice.shape.parameters, "weights_bytes": advice.shape.weights_bytes}
    found = {key: value for key, value in asdict(advice).items() if key != "shape"}
    memory = {**asdict(advice.memory), "total_bytes": advice.memory.total_bytes}
    machine = {**asdict(advice.machine), "budget_bytes": advice.machine.budget_bytes}
    stand_in = is_stand_in(advice.shape.name)
    return {**found, "shape": {**shape, **sums}, "memory": memory, "machine": machine, "stand_in": stand_in}


def arithmetic(advice: Advice, language: Language) -> Iterator[str]:
    """Yield the computation of the memory and the slots, a sentence a line."""
    shape, serving, machine, memory = advice.shape, advice.serving, advice.machine, advice.memory
    context, budget = context_of(shape, serving), machine.budget_bytes / _GB

    def say(key: str, **values: object) -> str:
        return translate(f"ollama.size_{key}", language, **values)

    yield say("model", name=shape.name, architecture=shape.architecture, kind=shape.quantization or "?",
              layers=shape.layers, heads=shape.heads, kv_heads=_range(shape.kv_heads), width=shape.key_length,
              embedding=shape.embedding, vocabulary=shape.vocabulary, trained=shape.trained_context)  # fmt: skip
    if is_stand_in(shape.name):
        yield translate("ollama.stand_in", language)
    gpu = say("gpu", gpu=machine.gpu_bytes / _GB) if machine.gpu_bytes else say("no_gpu")
    yield say("machine", cores=machine.cores, memory=machine.memory_bytes / _GB, gpu=gpu, budget=budget)
    if advice.is_below_minimum:
        yield say("small_machine")
    yield say("weights", parameters=shape.parameters / 1e6, kind=shape.quantization or "?",
              size=memory.weights_bytes / _GB)  # fmt: skip
    if context < serving.context_tokens:
        yield say("context_cut", asked=serving.context_tokens, trained=context)
    yield say("kv", layers=shape.layers, kv_heads=_range(shape.kv_heads), width=shape.key_length, context=context,
              slots=serving.slots, number=KV_BYTES.get(serving.kv_type, 2.0), size=memory.kv_bytes / _GB)  # fmt: skip
    yield say("buffers", batch=min(BATCH_TOKENS, context), embedding=shape.embedding, vocabulary=shape.vocabulary,
              size=memory.buffer_bytes / _GB)  # fmt: skip
    yield say("total_fits" if advice.fits else "total_too_much", size=memory.total_bytes / _GB, budget=budget)
    yield say("ps_gpu" if serving.on_gpu else "ps", size=memory.ps_bytes / _GB)
    if advice.loaded_bytes:
        difference = memory.ps_bytes / advice.loaded_bytes - 1
        yield say("ps_now", size=advice.loaded_bytes / _GB, difference=difference)
    yield say("slots_gpu" if serving.on_gpu else "slots", size=advice.kv_bytes_a_slot / _GB,
              by_memory=advice.slots_by_memory, cores=machine.cores, slots=advice.slots)  # fmt: skip


def lines(advice: Advice, language: Language) -> Iterator[str]:
    """Yield the explanation."""
    yield from arithmetic(advice, language)
    name = advice.shape.name
    if advice.rates:
        yield translate("ollama.size_rates", language, **asdict(advice.rates))
    else:
        yield translate(
            "ollama.size_no_rates_file" if name.endswith(".gguf") else "ollama.size_no_rates", language, name=name
        )
    yield ""
    yield from _variants(advice, language)
    yield ""
    yield from _article(language)


def _variants(advice: Advice, language: Language) -> Iterator[str]:
    yield translate("ollama.size_variants", language)
    for one in advice.variants:
        speed = f"{one.generation:6.1f}" if one.generation is not None else "     -"
        fits = translate("ollama.size_fits" if one.fits else "ollama.size_does_not_fit", language)
        mark = "*" if one.installed else " "
        sizes = f"{one.weights_bytes / _GB:8.2f} GB {one.total_bytes / _GB:8.2f} GB"
        yield f"{mark} {one.quantization:8} {sizes} {speed}   {fits}"
    key = "size_advice" if advice.quantization else "size_advice_none"
    yield translate(f"ollama.{key}", language, kind=advice.quantization)


def _article(language: Language) -> Iterator[str]:
    yield translate("ollama.size_article", language)
    for kind, size_of_weights, speed, loss in ARTICLE:
        yield f"  {kind:12} {size_of_weights:>8} {speed:>8} {loss:>7}"
    yield translate("ollama.size_article_rule", language)


def _range(numbers: tuple[int, ...]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}-{high}"
