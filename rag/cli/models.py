"""The model commands of ``python -m rag.ollama``."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rag.cli import Commands, add_command, ask_consent
from rag.errors import ModelMissing, ModelUnfit
from rag.ollama.client import InstalledModel, OllamaClient, pull
from rag.ollama.model_creation import ModelMaker
from rag.ollama.model_details import ModelDetails
from rag.ollama.model_files import model_source
from rag.ollama.models import choose_among, find_installed, is_stand_in
from rag.ollama.templates import FORMATS
from rag.ollama.vision import checked_vision_model
from rag.schema import Language
from rag.settings import KEPT_NAME, Settings, store_choices
from rag.terminal import Update, print_json, progress
from rag.translate import translate

GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A row of ``list``.  ``memory_bytes`` and ``context_tokens`` are 0 where the model is not in memory.

    ``loaded_until`` is ISO 8601 with its zone, empty where the model is not in memory or Ollama does not tell.
    """

    name: str
    size_bytes: int
    parameters: str
    quantization: str
    stand_in: bool
    chosen: bool
    memory_bytes: int
    context_tokens: int
    template: bool
    thinks: bool
    reconstructed_from: str
    loaded_until: str = ""


def say(key: str, language: Language, **values: object) -> None:
    """Print a sentence."""
    print(translate(f"ollama.{key}", language, **values), flush=True)


def list_models(
    client: OllamaClient, wanted: str, show: Callable[[InstalledModel], ModelDetails] | None = None
) -> list[ListedModel]:
    """Return the installed models; ``wanted`` is the settings' model.  Raises ``OllamaUnavailable``.

    ``show`` tells a model's details where they are known already; without it Ollama is asked.
    """
    installed = client.models()
    chosen = chosen_name(installed, wanted)
    loaded = {one.name: one for one in client.loaded()}
    rows = []
    for model in installed:
        details, memory = show(model) if show else client.show(model.name), loaded.get(model.name)
        rows.append(
            ListedModel(
                **asdict(model),
                stand_in=is_stand_in(model.name),
                chosen=model.name == chosen,
                memory_bytes=memory.memory_bytes if memory else 0,
                context_tokens=memory.context_tokens if memory else 0,
                template=details.has_template,
                thinks=details.thinks,
                reconstructed_from=details.reconstructed_from,
                loaded_until=memory.expires_at if memory else "",
            )
        )
    return rows


def chosen_name(installed: Sequence[InstalledModel], wanted: str) -> str:
    """Return the model that answers the desk's questions; empty where there is none."""
    try:
        return choose_among(installed, wanted).name
    except ModelMissing:
        return ""  # the list is what helps to choose one


def _list(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    rows = list_models(OllamaClient(settings.ollama_url), settings.model)
    if options.json:
        print_json([asdict(row) for row in rows])
    elif not rows:
        say("none", language)
    else:
        for line in _table(rows, language):
            print(line)
    return 0


def _table(rows: Sequence[ListedModel], language: Language) -> Iterator[str]:
    def text(key: str) -> str:
        return translate(f"ollama.{key}", language)

    heads = [text(f"head_{name}") for name in ("model", "disk", "memory", "kind", "template", "thinks")]
    widths = (32, 9, 9, 9, 8, 6)
    yield f"  {'  '.join(map(_padded, heads, widths))}".rstrip()
    for row in rows:
        remarks = [text("stand_in")] if row.stand_in else []
        if row.reconstructed_from:
            remarks.append(translate("ollama.reconstructed", language, kind=row.reconstructed_from))
        cells = (
            row.name,
            f"{row.size_bytes / GIGABYTE:.2f} GB",
            f"{row.memory_bytes / GIGABYTE:.2f} GB" if row.memory_bytes else "-",
            row.quantization or "?",
            text("yes" if row.template else "no"),
            text("yes" if row.thinks else "no"),
        )
        mark = "*" if row.chosen else " "
        yield f"{mark} {'  '.join(map(_padded, cells, widths))}  {' · '.join(remarks)}".rstrip()
    if any(row.chosen for row in rows):
        yield text("chosen_is")


def _padded(text: str, width: int) -> str:
    """Fill up to a width in columns of a terminal, of which a Chinese character takes two."""
    taken = sum(2 if ord(character) > 0x2E7F else 1 for character in text)
    return text + " " * max(width - taken, 0)


@contextmanager
def _step_progress(language: Language, key: str, what: str) -> Iterator[Update]:
    with progress(translate(f"ollama.{key}", language, what=what), sys.stderr) as update:
        yield update


def maker(settings: Settings, language: Language) -> ModelMaker:
    """Return a maker of models in the Ollama of these settings, with progress on standard error.

    Raises ``OllamaUnavailable`` before anything long is begun.
    """
    client = OllamaClient(settings.ollama_url)
    client.version()

    def show_step(key: str, what: str) -> AbstractContextManager[Update]:
        return _step_progress(language, key, what)

    return ModelMaker(client, show_step)


def _print_made(client: OllamaClient, name: str, language: Language) -> int:
    found = find_installed(client.models(), name)
    if found is None:
        raise ModelMissing(model=name)
    say("made", language, name=found.name, size=found.size_bytes / GIGABYTE, kind=found.quantization)
    say("use_it", language, name=found.name)
    return 0


def _pull(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    client = OllamaClient(settings.ollama_url)
    client.version()
    with _step_progress(language, "downloading", options.name) as update:
        pull(client, options.name, update, remedy="other_name")
    say("pulled", language, name=options.name)
    if not client.show(options.name).has_template:
        say("without_template", language, name=options.name)
    return 0


def _import(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    source = model_source(options.path, options.template)
    making = maker(settings, language)
    making.import_files(source, options.name, options.quantize)
    return _print_made(making.client, options.name, language)


def _quantize(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    making = maker(settings, language)
    return _print_made(making.client, making.quantize(options.name, options.kind, options.new_name), language)


def _adapter(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    making = maker(settings, language)
    making.attach(options.name, options.adapter, options.new_name)
    return _print_made(making.client, options.new_name, language)


def _delete(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    client = OllamaClient(settings.ollama_url)
    installed = client.models()
    found = find_installed(installed, options.name)
    if found is None:
        raise ModelMissing(model=options.name)
    if not options.yes:
        if not sys.stdin.isatty():
            raise ModelUnfit(model=found.name, reason="not_confirmed")
        chosen = found.name == chosen_name(installed, settings.model)
        key = "delete_chosen_ask" if chosen else "delete_ask"
        if not ask_consent(translate(f"ollama.{key}", language, name=found.name, size=found.size_bytes / GIGABYTE)):
            say("kept", language, name=found.name)
            return 1
    client.delete(found.name)
    say("deleted", language, name=found.name)
    return 0


def _use(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    client = OllamaClient(settings.ollama_url)
    found = find_installed(client.models(), options.name)
    if found is None:
        raise ModelMissing(model=options.name)
    details = client.show(found.name)
    choices = choices_for(found.name, details, settings)
    variables = store_choices(settings, choices)
    say("using", language, name=found.name, path=settings.data_dir / KEPT_NAME)
    if "thinking" in choices and not details.thinks:
        say("using_without_thought", language)
    if variables:
        say("goes_before", language, variables=", ".join(variables))
    return 0


def _pictures(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    if options.none:
        variables = store_choices(settings, {"vision_model": ""})
        say("pictures_off", language, path=settings.data_dir / KEPT_NAME)
    elif options.name:
        name = checked_vision_model(settings.changed(vision_model=options.name))
        variables = store_choices(settings, {"vision_model": name})
        say("pictures_by", language, name=name, path=settings.data_dir / KEPT_NAME)
    else:
        print_vision_model(settings, language)
        return 0
    if variables:
        say("goes_before", language, variables=", ".join(variables))
    return 0


def print_vision_model(settings: Settings, language: Language) -> None:
    """Print the model that describes pictures.  Raises as ``checked_vision_model``."""
    name = checked_vision_model(settings)
    if name:
        say("pictures_described", language, name=name)
    else:
        say("pictures_none", language)


def choices_for(name: str, details: ModelDetails, settings: Settings) -> dict[str, object]:
    """Return the settings that let the desk use a model.

    Ollama refuses to let a model think that cannot, so thinking is turned off for such a one, and left to the product
    again for the next that can.  Raises ``ModelUnfit`` for one without a chat format.
    """
    if not details.has_template:
        raise ModelUnfit(model=name, reason="installed_without_template")
    if "embedding" in details.capabilities and "completion" not in details.capabilities:
        raise ModelUnfit(model=name, reason="is_embedder")
    if details.thinks:
        return {"model": name, "thinking": "auto"} if settings.thinking == "off" else {"model": name}
    return {"model": name, "thinking": "off"}


def add_model_commands(commands: Commands) -> None:
    """Add the commands to the parser's."""
    command = partial(add_command, commands)
    parser = command("list", _list, "what is installed, and which one answers  已安装的模型", aliases=["models"])
    parser.add_argument("--json", action="store_true", help="print JSON  以 JSON 输出")
    parser = command("pull", _pull, "get a model from the registry  从仓库下载模型")
    parser.add_argument("name", metavar="NAME", help="e.g. deepseek-r1:7b  模型名称")
    parser = command("import", _import, "make a model of a GGUF file or a safetensors folder  导入模型文件")
    parser.add_argument("path", type=Path, metavar="FILE.gguf|FOLDER", help="the weights  权重文件或文件夹")
    parser.add_argument("--name", required=True, help="how to call it  模型名称")
    parser.add_argument("--quantize", default="", metavar="KIND", help="q8_0, q4_K_M or q4_K_S  量化方式")
    parser.add_argument("--template", default="", choices=["", *FORMATS], help="its chat format  对话格式")
    parser = command("quantize", _quantize, "make a smaller model of an F16 one  量化模型")
    parser.add_argument("name", metavar="NAME", help="an F16 or BF16 model  模型名称")
    parser.add_argument("kind", metavar="KIND", help="q8_0, q4_K_M, q4_K_S or q4_0  量化方式")
    parser.add_argument("--as", dest="new_name", default="", metavar="NEW", help="how to call it  新名称")
    parser = command("adapter", _adapter, "make a model of one and a LoRA adapter  附加 LoRA 适配器")
    parser.add_argument("name", metavar="NAME", help="the model  模型名称")
    parser.add_argument("--adapter", type=Path, required=True, metavar="FILE", help="GGUF, or a folder  适配器文件")
    parser.add_argument("--as", dest="new_name", required=True, metavar="NEW", help="how to call it  新名称")
    parser = command("delete", _delete, "delete a model, after asking  删除模型")
    parser.add_argument("name", metavar="NAME", help="the model  模型名称")
    parser.add_argument("--yes", action="store_true", help="do not ask  不再询问")
    parser = command("use", _use, "let the desk use a model  设为工作台使用的模型")
    parser.add_argument("name", metavar="NAME", help="the model  模型名称")
    parser = command("pictures", _pictures, "let a model describe pictures, or none  设置描述图片的模型")
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="a model that sees  能识别图片的模型")
    parser.add_argument("--none", action="store_true", help="no model describes pictures  不使用模型描述图片")
