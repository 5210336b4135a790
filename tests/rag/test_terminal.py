"""The terminal speaks its reader's language, and a command that failed says why in one line."""

import pytest

from rag.errors import QuestionEmpty
from rag.terminal import fail, terminal_language


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN", "LC_ALL": ""}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_first_variable_that_is_set_decides(environment: dict[str, str], expected: str) -> None:
    assert terminal_language(environment) == expected


@pytest.mark.parametrize(
    ("locale", "sentence"), [("en_US.UTF-8", "Please type a question."), ("zh_CN", "请输入问题。")]
)
def test_a_failure_is_one_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], locale: str, sentence: str
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert fail(QuestionEmpty()) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", sentence + "\n")
