"""Pictures and the real Ollama: a model of random weights is shown them, so nothing here is about understanding.

It proves the way: what is asked before a picture is sent, what arrives, what is refused, and what frees the model.
"""

import base64
import hashlib
import os
import signal
import threading
from collections.abc import Generator as GeneratorObject
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ingest.pipeline import ingest
from ingest.reader import FileReader, copy_picture_of_file
from ingest.summary import IngestSummary
from rag.errors import AnswerCancelled, DocumentUnreadable, ModelTimedOut, NotAVisionModel, OllamaRefused
from rag.factory import build_gateway, picture_describer
from rag.generation.gateway import ModelGateway
from rag.generation.picture_description import PictureDescriber
from rag.ollama.client import ModelRecipe, OllamaClient
from rag.ollama.model_creation import ModelMaker
from rag.ollama.model_files import model_source
from rag.ollama.server import ensure_running, stop
from rag.ollama.vision import checked_vision_model, vision_settings
from rag.pictures import Picture
from rag.protocols import GenerationFinished, GenerationPart, Generator, Message
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.terminal import Update
from rag.testing import HashEmbedder
from rag.text.markup import LONGEST_DESCRIPTION_CHARACTERS, is_description
from tests.conftest import free_port
from tests.ingest.loaders.test_figures import word
from tests.rag.ollama.conftest import gone, serving_leader, until
from tests.support.pictures import as_file, drawn
from tests.support.small_models import VISION_TEMPLATE, write_safetensors_folder, write_vision_model

pytestmark = pytest.mark.real

EYE, BLIND = "eye:noise", "blind:noise"
RED, BLUE = (Picture(as_file(drawn(colour=colour, size=(112, 112)))) for colour in ("red", "blue"))
PATIENCE_SECONDS = 900.0
A_PICTURE_TOKENS = 20  # 112 pixels: 8 x 8 patches, merged to 4 x 4, and a mark at the end of each row


@contextmanager
def _unheard(key: str, what: str) -> Iterator[Update]:
    yield lambda done, total: None


def _shown(key: str, what: str) -> AbstractContextManager[Update]:
    return _unheard(key, what)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Yield settings of an Ollama with a store of its own, that holds a model with eyes and one without."""
    work = tmp_path_factory.mktemp("seeing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLLAMA_MODELS", str(work / "store"))
        made = Settings(
            data_dir=work / "data", ollama_host=f"127.0.0.1:{free_port()}", cache_dir=Settings().cache_dir,
            context_tokens=2048, parallel_slots=1, model_threads=1, temperature=0.0, vision_model=EYE,
            first_token_timeout_seconds=PATIENCE_SECONDS, token_timeout_seconds=PATIENCE_SECONDS,
        )  # fmt: skip
        ensure_running(made, while_we_live=True)
        try:
            client = OllamaClient(made.ollama_url)
            weights = write_vision_model(work / "eye.gguf")
            sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
            client.upload_blob(weights, sha256)
            # one thread: two wait for each other at every step, which takes minutes beside a busy program
            client.create(ModelRecipe(EYE, weights.name, sha256, VISION_TEMPLATE, (), {"num_thread": 1}))
            maker = ModelMaker(client, _shown)
            maker.import_files(model_source(write_safetensors_folder(work / "blind")), BLIND)
            yield made
        finally:
            stop(made)


@pytest.fixture
def describer(settings: Settings) -> PictureDescriber:
    return patient(build_gateway(vision_settings(settings)))


def patient(gateway: ModelGateway) -> PictureDescriber:
    """Return a describer that gives up only what never comes."""
    return PictureDescriber(gateway, most_waiting=4, deadline_seconds=PATIENCE_SECONDS)


def test_ollama_tells_which_model_sees(settings: Settings) -> None:
    client = OllamaClient(settings.ollama_url)
    assert client.show(EYE).capabilities == ("completion", "vision")
    assert not client.show(BLIND).sees
    assert checked_vision_model(settings) == EYE
    assert picture_describer(replace_model(settings, "")) is None


def replace_model(settings: Settings, name: str) -> Settings:
    return settings.changed(vision_model=name)


def test_a_text_model_would_answer_in_silence_and_is_refused(settings: Settings) -> None:
    body = {"model": BLIND, "prompt": "What is it?", "images": [base64.b64encode(RED.content).decode()]}
    said = OllamaClient(settings.ollama_url).generate({**body, "options": {"num_predict": 4}})
    assert said["done"] is True, "Ollama takes the picture and says nothing: this is what the check is for"
    blind = replace_model(settings, BLIND)
    with pytest.raises(NotAVisionModel, match=BLIND):
        checked_vision_model(blind)
    made = picture_describer(blind)
    assert made is not None
    with pytest.raises(NotAVisionModel, match=BLIND):
        made.describe(RED, "en")


def test_a_picture_takes_its_tokens_of_the_prompt(settings: Settings) -> None:
    generator = build_gateway(vision_settings(settings)).generator

    def tokens(*pictures: Picture) -> int:
        message = Message("user", "What is it?", pictures=tuple(one.content for one in pictures))
        parts = list(generator.generate([message], think=False, max_tokens=4))
        (finished,) = (part for part in parts if isinstance(part, GenerationFinished))
        return finished.prompt_tokens

    none = tokens()
    assert [tokens(RED) - none, tokens(RED, BLUE) - none] == [A_PICTURE_TOKENS, 2 * A_PICTURE_TOKENS]


@pytest.fixture(scope="module")
def reader() -> Iterator[FileReader]:
    with FileReader.of(Settings()) as made:
        yield made


def copy_of(reader: FileReader, name: str, content: bytes) -> Picture:
    kept: list[Picture] = []
    copy_picture_of_file(name, content, reader, lambda png: kept.append(Picture(png)))
    return kept[0]


def test_every_format_reaches_the_model(reader: FileReader, describer: PictureDescriber) -> None:
    picture = drawn("E-42", size=(112, 112))
    said = {}
    for format_name in ("PNG", "GIF", "BMP", "TIFF", "WEBP", "JPEG"):
        copy = copy_of(reader, f"screen.{format_name.lower()}", as_file(picture, format_name))
        said[format_name] = describer.describe(copy, "en")
    assert all(one.model == EYE and 0 < len(one.text) <= LONGEST_DESCRIPTION_CHARACTERS for one in said.values())
    assert said["PNG"] == said["BMP"] == said["TIFF"], "the same pixels"


def test_what_is_seen_changes_what_is_said(describer: PictureDescriber) -> None:
    describer.describe(RED, "en")  # its prompt is in the cache now, which rounds otherwise than a first reading
    assert describer.describe(RED, "en") == describer.describe(RED, "en") != describer.describe(BLUE, "en")


def test_junk_is_refused_in_words(reader: FileReader, settings: Settings) -> None:
    with pytest.raises(DocumentUnreadable) as refused:
        copy_of(reader, "screen.png", b"junk")
    assert "screen.png" in refused.value.text("en")
    generator = build_gateway(vision_settings(settings)).generator
    with pytest.raises(OllamaRefused, match="unknown format"):
        list(generator.generate([Message("user", "What is it?", pictures=(b"junk",))], think=False, max_tokens=4))


def test_a_figure_of_a_document_is_described_at_ingest(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.factory.picture_describer", lambda s: patient(build_gateway(vision_settings(s))))
    (tmp_path / "lamp.docx").write_bytes(word("Press it.", as_file(drawn("E-42", size=(112, 112))), "It starts."))
    embedder = HashEmbedder()

    def ingested(name: str) -> tuple[IngestSummary, str]:
        summary = ingest([tmp_path], settings.changed(vision_model=name, ocr_limit_pages=0), embedder)
        with KnowledgeStore(settings.knowledge_dir) as store:
            return summary, store.document("lamp.docx", summary.generation).text

    blind, text = ingested(BLIND)
    assert blind.published and "described" not in text
    assert (blind.undescribed.pictures, BLIND in blind.undescribed.reason["en"]) == (1, True)
    seeing, text = ingested(EYE)
    assert (seeing.changed, seeing.undescribed.pictures) == (1, 0)
    (line,) = [line for line in text.splitlines() if is_description(line)]
    assert text.split(line)[1].strip() == "It starts."
    again, same = ingested(EYE)
    assert (again.published, same) == (False, text)


class _SetAtTheCall(threading.Event):
    """Is set from a call of ``is_set`` on."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._left = calls

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def test_a_cancelled_description_frees_the_model(settings: Settings) -> None:
    """Now and then Ollama loses the slot of a model as quick as this one; then the description after the next works."""
    gateway = build_gateway(vision_settings(settings.changed(first_token_timeout_seconds=30.0)))
    made = patient(gateway)
    for calls in (0, 3, 4):  # before the queue, and while the model is at work
        with pytest.raises(AnswerCancelled):
            made.describe(RED, "en", cancelled=_SetAtTheCall(calls))
        assert gateway.admission.occupancy().running == 0
    with suppress(ModelTimedOut):
        made.describe(RED, "en")
    assert made.describe(RED, "en").text


@dataclass
class _Fatal:
    """A generator that kills Ollama before its first request."""

    generator: Generator
    settings: Settings
    killed: bool = False

    @property
    def model(self) -> str:
        return self.generator.model

    @property
    def stand_in(self) -> bool:
        return self.generator.stand_in

    @property
    def continues_replies(self) -> bool:
        return self.generator.continues_replies

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        if not self.killed:
            self.killed = True
            leader = serving_leader(self.settings)
            with suppress(ProcessLookupError):
                os.killpg(leader.pid, signal.SIGKILL)
            until(lambda: gone(leader))
        return self.generator.generate(messages, think=think, max_tokens=max_tokens, candidates=candidates)


def test_ollama_killed_under_it_is_started_anew(settings: Settings) -> None:
    gateway: ModelGateway = build_gateway(vision_settings(settings))
    fatal = _Fatal(gateway.generator, settings)
    said = patient(replace(gateway, generator=fatal)).describe(RED, "en")
    assert fatal.killed
    assert said.text
