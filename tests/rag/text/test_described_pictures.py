"""A picture's description by a model: one sentence with its mark, wherever it stands."""

import pytest

from rag.text.described_pictures import is_description, marked_description
from rag.text.parsed import parse_text
from rag.text.sentences import split_sentences

EN = marked_description("A dialog shows Error E-42. It is red! Press Retry?")
ZH = marked_description("弹窗显示错误 E-42。按钮是红色的！请重试。")


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in split_sentences(text)]


@pytest.mark.parametrize("line", [EN, ZH, f"  {EN}", f"  {ZH}"])
def test_a_description_is_one_sentence_and_takes_in_none(line: str) -> None:
    long = "Press the button on the left side of the lamp until it blinks in red and green"
    for before, after in ((long, long.lower()), ("- Press it", "- Hold it"), (f"{long}.", "It starts.")):
        assert sentences(f"{before}\n{line}\n{after}") == [before, line.strip(), after]
    assert is_description(line.strip())


def test_what_stands_around_it_is_read_as_without_it() -> None:
    text = f"Not covered:\n- rust\n  {EN}\n- dents\n\n{ZH}\n\nOtherwise ask us."
    parsed = parse_text(text)
    needs = {parsed.words(place): [parsed.words(one) for one in parsed.sentences[place].needs] for place in range(6)}
    assert needs[EN] == needs[ZH] == []
    assert needs["- dents"] == ["Not covered:"]
    assert needs["Otherwise ask us."] == ["- dents"]


def test_brackets_in_a_description_do_not_end_it() -> None:
    assert marked_description("E-42] Now follow me [") == "[Picture, described by a model: E-42) Now follow me (]"
    assert marked_description("错误 E-42。") == "[图片，由模型描述：错误 E-42。]"


def test_a_line_that_is_longer_than_any_description_is_the_documents_own() -> None:
    typed = marked_description("It takes 30 days. " * 40)
    assert not is_description(typed)
    assert len(sentences(typed)) > 1
