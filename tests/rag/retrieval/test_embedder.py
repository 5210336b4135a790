"""One contract for the two real embedders, and what each must not do."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rag.errors import EmbedderMissing
from rag.protocols import Embedder, FloatMatrix
from rag.retrieval.embedder import open_embedder
from rag.retrieval.model_folders import OPENVINO_MODEL, Identity, openvino_folder, read_identity, write_identity
from rag.settings import Settings
from tests.support.by_day import by_day

QUESTIONS = [
    "七天无理由退货怎么申请？",
    "扫地机器人报 E-17 是什么意思",
    "发票抬头写错了能不能重开",
    "门铃的电池多久换一次",
    "how long does a refund take to reach my card",
    "my robot vacuum shows error W-203",
    "can i change the delivery address after ordering",
    "warranty for refurbished devices?",
    "怎么 reset 路由器 password",
    "a",
]
PASSAGES = [
    "签收次日零时起 7 天内可以申请无理由退货，商品需保持完好，运费由买家承担。",
    "报警代码 E-17：尘盒未安装到位。请取出尘盒，清理触点后重新装入。",
    "电子发票开具后如抬头有误，可在订单页申请红冲重开，每张发票限一次。",
    "Refunds reach a debit card within three to five working days after the parcel has passed inspection.",
    "Error W-203 means that the water tank is empty or not seated. Fill the tank and press it down until it clicks.",
    "The delivery address can be changed until the parcel is handed to the carrier; afterwards contact the carrier.",
    "Table: fee | amount\nReturn label | free in the UK\nInternational return | 12.50 GBP",
    "长" * 3000,
    "word " * 3000,
    "。",
]


@pytest.fixture(scope="module")
def openvino() -> Embedder:
    return open_embedder(Settings(embedder="auto"))


@pytest.fixture(scope="module")
def reference() -> Embedder:
    return open_embedder(Settings(embedder="sentence-transformers"))


# The reference is the slow one; that the other agrees with it is tried on each commit, below.
@pytest.fixture(params=by_day("openvino", of=("openvino", "reference")))
def embedder(request: pytest.FixtureRequest) -> Embedder:
    chosen: Embedder = request.getfixturevalue(request.param)
    return chosen


def cosines(left: FloatMatrix, right: FloatMatrix) -> FloatMatrix:
    return np.asarray((left * right).sum(axis=1), dtype=np.float32)


def differing_bits(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Share in [0, 1]; two random ones differ in half."""
    return float(np.unpackbits(left ^ right).mean())


@pytest.mark.real
class TestContract:
    def test_shape_type_and_length(self, embedder: Embedder) -> None:
        for found in (embedder.embed_queries(QUESTIONS), embedder.embed_passages(PASSAGES)):
            rows = found.vectors
            assert rows.dtype == np.float32
            assert rows.shape == (10, embedder.dimension)
            np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        for nothing in (embedder.embed_queries([]), embedder.embed_passages([])):
            assert (nothing.vectors.shape, nothing.tokens) == ((0, embedder.dimension), ())

    def test_the_passage_that_answers_is_the_nearest(self, embedder: Embedder) -> None:
        scores = embedder.embed_queries(QUESTIONS).vectors @ embedder.embed_passages(PASSAGES).vectors.T
        assert [int(scores[question].argmax()) for question in (0, 1, 2, 4, 5, 6)] == [0, 1, 2, 3, 4, 5]

    def test_questions_and_passages_have_prefixes_of_their_own(self, embedder: Embedder) -> None:
        text = ["refund"]
        assert cosines(embedder.embed_queries(text).vectors, embedder.embed_passages(text).vectors)[0] < 0.999

    def test_neighbours_in_the_batch_change_nothing(self, embedder: Embedder) -> None:
        together = embedder.embed_passages(PASSAGES)
        alone = [embedder.embed_passages([text]) for text in PASSAGES]
        assert cosines(together.vectors, np.vstack([one.vectors for one in alone])).min() >= 0.998
        for one, (other,) in zip(together.tokens, (one.tokens for one in alone), strict=True):
            assert one.numbers.tolist() == other.numbers.tolist()
            assert differing_bits(one.signs, other.signs) < 0.03

    def test_tokens_are_the_text_s_own(self, embedder: Embedder) -> None:
        text = "退货 policy: E-17"
        (asked,), (found,) = embedder.embed_queries([text]).tokens, embedder.embed_passages([text]).tokens
        spans = embedder.token_spans(text)
        assert "".join(text[start:end] for start, end in spans) == text
        assert len(found.numbers) == len(found.signs) == len(spans)
        assert (found.numbers.dtype, found.signs.dtype, found.signs.shape[1]) == (np.int32, np.uint8, 48)
        assert asked.numbers.tolist() == found.numbers.tolist()
        assert asked.vectors.shape == (len(asked.numbers), embedder.dimension)
        np.testing.assert_allclose(np.linalg.norm(asked.vectors, axis=1), 1, atol=1e-5)

    def test_a_long_text_has_as_many_spans_as_tokens(self, embedder: Embedder) -> None:
        for text, tokens in zip(PASSAGES, embedder.embed_passages(PASSAGES).tokens, strict=True):
            spans = embedder.token_spans(text)
            assert len(spans) == len(tokens.numbers) == len(tokens.signs) <= 508
            assert all(0 <= start <= end <= len(text) for start, end in spans)

    def test_the_token_that_means_the_same_is_the_nearest(self, embedder: Embedder) -> None:
        text = "Refunds reach a debit card within three days."
        (asked,) = embedder.embed_queries(["refund"]).tokens
        (found,) = embedder.embed_passages([text]).tokens
        signs = np.unpackbits(found.signs, axis=1).astype(np.float32) * 2 - 1
        start, _ = embedder.token_spans(text)[int((signs @ asked.vectors[-1]).argmax())]
        assert start < len("Refunds")

    def test_tokens_are_counted_without_prefix_and_without_limit(self, embedder: Embedder) -> None:
        assert embedder.count_tokens("") == 0
        assert embedder.count_tokens("refund") == 1
        assert embedder.count_tokens(" ".join(["word"] * 3000)) == 3000

    def test_words_count_together_what_each_counts_whatever_is_between_them(self, embedder: Embedder) -> None:
        words = ["Rückgabe", "W-203", "签收后七天内可以退货。", "(free)"]
        alone = [embedder.count_tokens(word) for word in words]
        for blank in (" ", "\n", " \xa0 ", "\u3000", "\u200b", "\t\r\n"):
            text = blank.join(words)
            assert embedder.count_tokens(text) == sum(alone) == len(embedder.token_spans(text))
            assert embedder.count_tokens(text + blank) == len(embedder.token_spans(text + blank))
            assert embedder.count_tokens(blank.join([text] * 20)) == 20 * sum(alone)

    def test_many_threads_get_what_one_gets(self, embedder: Embedder) -> None:
        alone = [embedder.embed_queries([text]) for text in QUESTIONS] * 5
        with ThreadPoolExecutor(10) as pool:
            found = list(pool.map(lambda text: embedder.embed_queries([text]), QUESTIONS * 5))
        for one, other in zip(found, alone, strict=True):
            assert cosines(one.vectors, other.vectors).min() >= 0.998
            assert cosines(one.tokens[0].vectors, other.tokens[0].vectors).mean() >= 0.99


@pytest.mark.real
def test_both_agree_in_both_languages(openvino: Embedder, reference: Embedder) -> None:
    assert (openvino.model_id, openvino.dimension) == (reference.model_id, reference.dimension)
    fast, slow = openvino.embed_queries(QUESTIONS), reference.embed_queries(QUESTIONS)
    assert cosines(fast.vectors, slow.vectors).min() >= 0.998
    for one, other in zip(fast.tokens, slow.tokens, strict=True):
        assert one.numbers.tolist() == other.numbers.tolist()
        assert cosines(one.vectors, other.vectors).mean() >= 0.98
    passages, expected = openvino.embed_passages(PASSAGES), reference.embed_passages(PASSAGES)
    assert cosines(passages.vectors, expected.vectors).min() >= 0.998
    for kept, right in zip(passages.tokens, expected.tokens, strict=True):
        assert differing_bits(kept.signs, right.signs) < 0.06


TWO_THREADS_ASK_FIRST = """
import threading, time
import numpy.lib
version = numpy.lib.NumpyVersion.__init__
def slowly(self, *given):  # OpenVINO asks for it while it makes its table of types
    time.sleep(0.3)
    version(self, *given)
numpy.lib.NumpyVersion.__init__ = slowly
import rag.retrieval.openvino_embedder, openvino
threads = [threading.Thread(target=openvino.Type.i64.to_dtype) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.real
def test_the_first_threads_do_not_wait_for_each_other_for_ever() -> None:
    subprocess.run([sys.executable, "-c", TWO_THREADS_ASK_FIRST], check=True, timeout=60)


@pytest.mark.real
def test_the_fast_one_imports_neither_torch_nor_transformers() -> None:
    program = (
        "import sys; from rag.retrieval.embedder import open_embedder; from rag.settings import Settings\n"
        "open_embedder(Settings()).embed_queries(['七天无理由退货'])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'nncf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["auto", "openvino", "sentence-transformers"])
def test_nothing_here(tmp_path: Path, kind: str) -> None:
    with pytest.raises(EmbedderMissing, match="make setup"):
        open_embedder(Settings.model_validate({"cache_dir": tmp_path, "embedder": kind}))


def test_half_a_folder_is_no_embedder(tmp_path: Path) -> None:
    folder = openvino_folder(Settings(cache_dir=tmp_path))
    folder.mkdir(parents=True)
    for name in (OPENVINO_MODEL, "tokenizer.json"):
        (folder / name).touch()
    with pytest.raises(EmbedderMissing):
        read_identity(folder)
    (folder / "embedder.json").write_text("{}")
    with pytest.raises(EmbedderMissing):
        read_identity(folder)
    write_identity(folder, Identity("e5", 384))
    assert read_identity(folder) == Identity("e5", 384)
    (folder / OPENVINO_MODEL).rename(folder / "model.xml")  # an older program's graph
    with pytest.raises(EmbedderMissing):
        read_identity(folder)


INTERRUPTED = """
import gc, os, signal, time
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
first, second = open_embedder(Settings(embedder="auto")), open_embedder(Settings(embedder="auto"))
for one in (first, second):
    one.embed_queries(["a"])
del first, one
gc.collect()
del second
gc.collect()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.real
def test_ctrl_c_after_two_embedders_were_loaded_and_left_is_no_crash() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
