"""A model of sentence-transformers as the embedder: its own prompts, pooling, dimension and tokens."""

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.errors import SearchModelUnusable, TorchMissing
from rag.protocols import FloatMatrix
from rag.retrieval.embedder import open_embedder
from rag.retrieval.embedder_tokens import CENTRE_PATH, TokenKeeper
from rag.retrieval.model_folders import reference_folder
from rag.retrieval.reference_embedder import SentenceTransformersEmbedder
from rag.retrieval.search_model_embedder import SearchModelEmbedder, prompts_of
from rag.retrieval.transformers_runtime import prepare_transformers
from rag.settings import Settings
from tests.support.search_models import QUERY_PROMPT, save_embedding_model

pytestmark = pytest.mark.slow

BLANK = 6  # in XLM-R's vocabulary
TEXTS = ["How long is the warranty of the kettle?", "保修多久", "The refund is sent within 7 days.", "zebra"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_embedding_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def embedder(folder: Path) -> SearchModelEmbedder:
    return SearchModelEmbedder(folder, str(folder))


def states(folder: Path, text: str) -> FloatMatrix:
    """The last hidden states of a text with its special tokens, from transformers alone, float32 [n, 32]."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.inference_mode():
        return np.asarray(AutoModel.from_pretrained(folder)(**tokens).last_hidden_state[0].numpy())


def unit(vector: FloatMatrix) -> FloatMatrix:
    return np.asarray(vector / np.linalg.norm(vector))


def test_questions_have_the_model_s_prompt_and_passages_have_not(embedder: SearchModelEmbedder, folder: Path) -> None:
    text = TEXTS[0]
    question, passage = embedder.embed_queries([text]).vectors[0], embedder.embed_passages([text]).vectors[0]
    np.testing.assert_allclose(question, unit(states(folder, QUERY_PROMPT + text).mean(axis=0)), atol=1e-5)
    np.testing.assert_allclose(passage, unit(states(folder, text).mean(axis=0)), atol=1e-5)
    assert abs(float(question @ passage)) < 0.9999


def test_the_pooling_is_the_model_s(tmp_path: Path) -> None:
    folder = save_embedding_model(tmp_path / "cls", pooling="cls", prompts={"passage": "passage: "})
    found = SearchModelEmbedder(folder, "cls").embed_passages([TEXTS[0]]).vectors[0]
    np.testing.assert_allclose(found, unit(states(folder, "passage: " + TEXTS[0])[0]), atol=1e-5)


def test_a_decoder_that_pools_its_last_token_serves_as_well(tmp_path: Path) -> None:
    folder = save_embedding_model(tmp_path / "decoder", pooling="last", prompts={"query": "query passage: "})
    embedder = SearchModelEmbedder(folder, "decoder")
    found = embedder.embed_queries(TEXTS)  # of several lengths: padded in front
    for text, vector, tokens in zip(TEXTS, found.vectors, found.tokens, strict=True):
        own = states(folder, "query passage: " + text)
        np.testing.assert_allclose(vector, unit(own[-1]), atol=1e-4)
        assert embedder._centre is not None
        np.testing.assert_allclose(tokens.vectors[-1], unit(own[-2] - embedder._centre), atol=1e-4)


def test_vectors_have_length_1_whatever_the_model_gives(tmp_path: Path) -> None:
    embedder = SearchModelEmbedder(save_embedding_model(tmp_path / "m", normalize=False, hidden=48), "m")
    for vectors in (embedder.embed_queries(TEXTS).vectors, embedder.embed_passages(TEXTS).vectors):
        assert (vectors.shape, vectors.dtype) == ((4, 48), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert embedder.embed_queries([]).vectors.shape == embedder.embed_passages([]).vectors.shape == (0, 48)


def test_tokens_are_the_text_s_own_and_centred_by_the_model_s_own_mean(
    embedder: SearchModelEmbedder, folder: Path
) -> None:
    text = "The kettle 保修"
    (asked,), (found,) = embedder.embed_queries([text]).tokens, embedder.embed_passages([text]).tokens
    spans = embedder.token_spans(text)
    assert [text[start:end] for start, end in spans] == ["The", "kettle", "保", "修"]
    assert asked.numbers.tolist() == found.numbers.tolist()
    assert (len(asked.numbers), found.signs.shape) == (4, (4, 4))
    np.testing.assert_allclose(np.linalg.norm(asked.vectors, axis=1), 1, atol=1e-5)
    assert embedder._centre is not None
    own = states(folder, text)[1:-1]
    np.testing.assert_array_equal(found.signs, np.packbits(own > embedder._centre, axis=1))
    assert not np.allclose(embedder._centre, 0)


def test_a_long_text_has_as_many_spans_as_tokens(embedder: SearchModelEmbedder) -> None:
    (found,) = embedder.embed_passages(["days " * 300]).tokens
    assert len(embedder.token_spans("days " * 300)) == len(found.numbers) == 62  # of 64 the two marks are no text
    assert embedder.count_tokens("days " * 300) == 300


def test_neighbours_in_the_batch_and_other_threads_change_nothing(embedder: SearchModelEmbedder) -> None:
    alone = np.vstack([embedder.embed_queries([text]).vectors for text in TEXTS])
    np.testing.assert_allclose(embedder.embed_queries(TEXTS).vectors, alone, atol=1e-5)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: embedder.embed_queries([text]).vectors[0], TEXTS * 4))
    np.testing.assert_allclose(np.vstack(together), np.vstack([alone] * 4), atol=1e-5)


def test_a_model_without_vectors_of_its_tokens_has_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import PreTrainedTokenizerFast

    monkeypatch.setattr(PreTrainedTokenizerFast, "is_fast", property(lambda self: False))
    with caplog.at_level(logging.WARNING):
        embedder = SearchModelEmbedder(save_embedding_model(tmp_path / "m"), "m")
    assert "without late interaction" in caplog.text
    assert not embedder.has_late_interaction
    (asked,), (found,) = embedder.embed_queries(TEXTS[:1]).tokens, embedder.embed_passages(TEXTS[:1]).tokens
    assert (asked.vectors.shape, found.signs.shape, embedder.token_spans(TEXTS[0])) == ((0, 32), (0, 4), [])
    assert embedder.count_tokens("the kettle") == 2


def test_a_static_model_without_layers_serves_too(folder: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    static = StaticEmbedding(Tokenizer.from_file(str(folder / "tokenizer.json")), embedding_dim=48)
    SentenceTransformer(modules=[static]).save_pretrained(str(tmp_path / "static"), create_model_card=False)
    embedder = open_embedder(Settings(cache_dir=tmp_path, embedding_model=str(tmp_path / "static")))
    assert embedder.embed_passages(TEXTS).vectors.shape == (4, 48)
    assert not embedder.token_spans(TEXTS[0])
    assert embedder.count_tokens("the kettle") == 2


@pytest.mark.parametrize(
    ("prompts", "name", "found"),
    [
        ({"query": "q: ", "document": ""}, "a/b", ("q: ", "")),
        ({"search_query": "q: ", "search_document": "d: "}, "a/b", ("q: ", "d: ")),
        ({}, "BAAI/bge-m3", ("", "")),
        ({"query": "", "document": ""}, "/models/multilingual-e5-base/", ("query: ", "passage: ")),
        ({"query": "Instruct: "}, "intfloat/multilingual-e5-large-instruct", ("Instruct: ", "")),
    ],
)
def test_prompts_are_those_of_the_folder(prompts: dict[str, str], name: str, found: tuple[str, str]) -> None:
    assert prompts_of(prompts, name) == found


def test_a_folder_that_cannot_be_loaded_is_one_error(tmp_path: Path) -> None:
    folder = save_embedding_model(tmp_path / "m")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(SearchModelUnusable, match="cannot load"):
        SearchModelEmbedder(folder, "m")


def test_where_torch_was_left_out_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(TorchMissing) as raised:
        prepare_transformers()
    assert all("ANSWERDESK_TORCH=cpu make setup" in raised.value.text(language) for language in ("en", "zh"))


def test_the_settings_choose_it_and_the_built_in_one_needs_no_torch(folder: Path, tmp_path: Path) -> None:
    chosen = open_embedder(Settings(cache_dir=tmp_path, embedding_model=str(folder)))
    assert chosen.model_id.startswith("tiny@")
    heavy = (
        "import sys, rag, rag.retrieval.embedder, rag.retrieval.model_folders; "
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.real
def test_the_built_in_model_by_this_way_is_the_built_in_embedder() -> None:
    settings = Settings()
    folder = reference_folder(settings)
    reference = SentenceTransformersEmbedder(folder, keeper=TokenKeeper.unprojected())
    found = SearchModelEmbedder(folder, str(folder))
    passages = [
        "签收次日零时起 7 天内可以申请无理由退货。",
        "Error W-203 means that the water tank is empty.",
        "长" * 900,
    ]
    for ours, theirs in (
        (found.embed_queries(TEXTS), reference.embed_queries(TEXTS)),
        (found.embed_passages(passages), reference.embed_passages(passages)),
    ):
        np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-4)
        for own, right in zip(ours.tokens, theirs.tokens, strict=True):
            # the blank behind the prefix, where it is a token of its own, is the prompt's here
            assert own.numbers.tolist() == right.numbers.tolist()[int(right.numbers[0] == BLANK) :]
    for text in passages:
        spans = reference.token_spans(text)
        assert found.token_spans(text) == spans[int(spans[0] == (0, 0)) :]
    shipped = np.array(json.loads(CENTRE_PATH.read_text(encoding="utf-8"))["centre"], dtype=np.float32)
    assert found._centre is not None
    assert float(unit(found._centre) @ unit(shipped)) > 0.97
    (asked,), (right,) = found.embed_queries([TEXTS[0]]).tokens, reference.embed_queries([TEXTS[0]]).tokens
    assert (asked.vectors * right.vectors).sum(axis=1).mean() > 0.95
