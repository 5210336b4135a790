"""Training, merging and measuring with the real Ollama: models of a few hundred kilobytes, whose words are chance.

What is tested is that all parts mean the same weights and the same tokens, so no answer is judged.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from eval import __main__ as command
from eval.train import background
from eval.train.background import TrainingProcess
from eval.train.chat import ChatStyle, ModelTokenizer
from eval.train.lora import BEST, LoraOptions, TokenExample, read_parameters, train
from eval.train.weights import load_model, low_rank_factors
from rag.ollama.client import OllamaClient
from rag.ollama.gguf import read_header
from rag.ollama.model_creation import ModelMaker
from rag.ollama.model_details import MERGED_FROM
from rag.ollama.model_files import model_source
from rag.ollama.models import find_installed
from rag.ollama.reconstruct import merge_f16, write_adapter
from rag.ollama.server import ensure_running, stop
from rag.protocols import Message
from rag.settings import Settings, load_settings
from rag.terminal import Update
from tests.conftest import ONE_THREAD, free_port
from tests.support.small_models import write_tunable_model

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]

QWEN, LLAMA = "stand-in:tiny-qwen", "tiny-llama"
ASKED = [Message("system", "The answer."), Message("user", "How long?\n\n多久？ The 7 days")]
PROMPTS = [f"{word} {number}" for word in ("the", "how", "days", "they", "oath") for number in range(10)]


@contextmanager
def silent() -> Iterator[Update]:
    yield lambda done, total: None


def shown(key: str, what: str) -> AbstractContextManager[Update]:
    return silent()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Path]]:
    """Run an Ollama that holds both small models; yield its settings and the folder of their files."""
    folder = tmp_path_factory.mktemp("tuning")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLLAMA_MODELS", str(folder / "store"))
        patch.setenv("ANSWERDESK_DATA_DIR", str(folder / "data"))
        patch.setenv("ANSWERDESK_OLLAMA_HOST", f"127.0.0.1:{free_port()}")
        patch.setenv("ANSWERDESK_ANSWER_BUDGET_TOKENS", "16")  # words of chance have no end
        patch.setenv("ANSWERDESK_MODEL_THREADS", "1")
        load_settings.cache_clear()
        settings = load_settings()
        ensure_running(settings, while_we_live=True)
        try:
            maker = ModelMaker(OllamaClient(settings.ollama_url), shown)
            for name, kind, template in ((QWEN, "qwen2", "chatml-think"), (LLAMA, "llama", "r1")):
                file = write_tunable_model(folder / f"{kind}.gguf", kind)
                maker.import_files(model_source(file, template), name)
            yield settings, folder
        finally:
            stop(settings)
            load_settings.cache_clear()


def posted(settings: Settings, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = Request(f"{settings.ollama_url}{path}", json.dumps(body | {"stream": False}).encode())
    with urlopen(request, timeout=60) as response:
        found: dict[str, Any] = json.loads(response.read())
        return found


@pytest.mark.parametrize(("model", "kind"), [(QWEN, "qwen2"), (LLAMA, "llama")])
@pytest.mark.parametrize("begun", [(), (Message("assistant", ""),)])
def test_what_is_trained_on_is_what_ollama_feeds_token_for_token(
    model: str, kind: str, begun: Sequence[Message], desk: tuple[Settings, Path]
) -> None:
    settings, folder = desk
    messages = [*ASKED, *begun]
    client = OllamaClient(settings.ollama_url)
    sent = [{"role": one.role, "content": one.content} for one in messages]
    rendered = client.render(model, sent, ONE_THREAD)
    style = ChatStyle.of(model, client.show(model).template)
    assert style.prompt(messages) == rendered
    tokenizer = ModelTokenizer.of(read_header(folder / f"{kind}.gguf"))
    plain = {
        "model": model,
        "prompt": rendered,
        "template": "{{ .Prompt }}",
        "options": {"num_predict": 1} | ONE_THREAD,
    }
    fed = posted(settings, "/api/generate", plain)
    tokens = tokenizer.tokens(rendered)
    assert fed["context"][: len(tokens)] == tokens
    assert fed["prompt_eval_count"] == len(tokenizer.beginning) + len(tokens)


@pytest.mark.parametrize(("model", "kind"), [(QWEN, "qwen2"), (LLAMA, "llama")])
def test_the_merged_model_says_what_the_adapter_says(
    model: str, kind: str, desk: tuple[Settings, Path], tmp_path: Path
) -> None:
    settings, folder = desk
    file = folder / f"{kind}.gguf"
    header, options = read_header(file), LoraOptions(epochs=2, learning_rate=0.05, batch=2)
    examples = [TokenExample(tuple(range(20, 40)), (number, 5, 6, 7)) for number in range(4)]
    train(load_model(header), examples, (), tmp_path, options)
    factors = low_rank_factors(header, read_parameters(tmp_path / BEST))
    merge_f16(file, tmp_path / "merged.gguf", factors, options.alpha / options.rank, model)
    write_adapter(tmp_path / "adapter.gguf", kind, factors, options.alpha)
    maker = ModelMaker(OllamaClient(settings.ollama_url), shown)
    maker.import_files(model_source(tmp_path / "merged.gguf", "chatml"), f"stand-in:{kind}-merged")
    maker.attach(model, tmp_path / "adapter.gguf", f"stand-in:{kind}-adapter")
    metadata = maker.client.show(f"stand-in:{kind}-merged").metadata
    assert [value for key, value in metadata.items() if key.endswith(MERGED_FROM)] == [model]

    def said(name: str) -> list[str]:
        asked = {"raw": True, "options": {"temperature": 0, "num_predict": 4, "num_ctx": 256, **ONE_THREAD}}
        return [str(maker.client.generate({"model": name, "prompt": one, **asked})["response"]) for one in PROMPTS]

    base, merged, adapter = map(said, (model, f"stand-in:{kind}-merged", f"stand-in:{kind}-adapter"))
    assert merged != base
    assert sum(map(str.__eq__, merged, adapter)) >= 0.95 * len(PROMPTS)


class TrainingHere(TrainingProcess):
    """Does the work of the process in this one: behind everybody else it would wait for the other tests' end."""

    def run(self, job: object, progress: Callable[[Any], None]) -> Any:
        return json.loads(json.dumps(background.work(self._settings, job, progress)))


def test_the_command_trains_measures_and_removes_what_does_not_win(
    desk: tuple[Settings, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.commands.train.TrainingProcess", TrainingHere)
    settings, _ = desk
    docs, asked = tmp_path / "docs", tmp_path / "asked.jsonl"
    docs.mkdir()
    things = ("kettle", "lamp", "router", "robot", "lock", "bottle", "camera", "fan", "heater", "scale")
    rows = []
    for number in range(30):
        thing = f"{things[number % 10]} model {chr(65 + number // 10)}{number}"
        sentence = f"The warranty on the {thing} lasts {number + 20} months after delivery."
        (docs / f"{number}.md").write_text(f"# Warranty of the {thing}\n\n{sentence}\n", encoding="utf-8")
        question = f"How long is the warranty on the {thing}?"
        row = {"id": str(number), "question": question, "answers": [sentence], "relevant": [f"{number}.md"]}
        rows.append(json.dumps(row | {"key_points": [[f"{number + 20} months"]]}))
    asked.write_text("\n".join(rows), encoding="utf-8")
    tuned, figures = "stand-in:tiny-tuned", tmp_path / "figures.json"
    given = [
        "train", "--questions", str(asked), "--docs", str(docs), "--model", QWEN, "--as", tuned, "--epochs", "1",
        "--measure", "1", "--adapter", "--run", "tuned", "--json", str(figures), "--yes",
    ]  # fmt: skip
    assert command.main(given) == 0
    said = capsys.readouterr().out
    assert f"{tuned} was removed again" in said
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert [arm["name"] for arm in found["arms"]] == ["base", "adapter", "merged"]
    assert not found["kept"] and found["stand_in"] and found["questions"] == 1
    left = {one.name for one in OllamaClient(settings.ollama_url).models()}
    assert not [name for name in left if name.startswith(tuned)]
    assert find_installed(OllamaClient(settings.ollama_url).models(), QWEN) is not None
