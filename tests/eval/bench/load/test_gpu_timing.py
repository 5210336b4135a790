import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.bench.load.gpu_timing import NOT_A_MODEL, GpuTiming, answer_pieces, cut, thought_pieces, token_count
from rag.generation.guard import repetition_start
from rag.generation.prompt import build_messages
from rag.schema import Evidence, Language, TextSpan

TEXT = {
    "en": "Items can be sent back within 30 days. The label costs EUR 4.95. Kettles must be empty.",
    "zh": "商品可在七天内退货。退货运费由买家承担。水壶必须清空。",
}


def evidence(language: Language) -> Evidence:
    text = TEXT[language]
    return Evidence(
        1, "d", "d.md", "Returns", (), text, 0, len(text), 0, len(text), language, sent=(TextSpan(0, len(text)),)
    )


def test_the_sixtieth_token_of_the_bar_comes_after_840_ms() -> None:
    timing = GpuTiming(first_token_ms=250, tokens_per_second=100)
    assert [timing.token_due_seconds(number) for number in (0, 1, 59)] == pytest.approx([0.25, 0.26, 0.84])


@pytest.mark.parametrize(
    "wrong", [{"slots": 0}, {"tokens_per_second": 0}, {"answer_tokens": 0}, {"first_token_ms": -1}, {"load_ms": -1}]
)
def test_impossible_times_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GpuTiming(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_answer_is_the_products_own_evidence_and_says_that_no_model_wrote_it(language: Language) -> None:
    question = {"en": "How long?", "zh": "多久？"}[language]
    prompt = build_messages(question, [evidence(language)], language)[-1].content
    pieces = answer_pieces(prompt, 60)
    text = "".join(pieces).strip()
    assert len(pieces) == 60
    assert repetition_start("".join(pieces)) is None
    assert text.endswith(NOT_A_MODEL[language])
    said = text.removesuffix(NOT_A_MODEL[language]).strip()
    assert said and said in TEXT[language]
    assert question not in text and "[1]" not in text


def test_any_other_prompt_is_answered_from_its_own_words() -> None:
    assert "".join(answer_pieces("Tell me about kettles.", 60)).startswith("Tell me about kettles.")
    assert len(answer_pieces("a", 500)) == 500


def test_a_thought_does_not_go_round_in_circles() -> None:
    assert repetition_start("".join(thought_pieces(256))) is None


@pytest.mark.slow
@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=5), st.integers(1, 80))
def test_cutting_loses_nothing(sentences: list[str], pieces: int) -> None:
    made = cut(sentences, pieces, " ")
    assert "".join(made) == " ".join(sentences)
    assert len(made) == min(pieces, len(" ".join(sentences)))


def test_tokens_are_counted_in_both_scripts() -> None:
    assert (token_count("abcdefgh"), token_count("退货运费吗呢")) == (2, 4)
