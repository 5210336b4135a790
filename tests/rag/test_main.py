"""The command: bad input through the real process, the rest over the offline pipeline."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import rag.__main__ as command
from rag.errors import KnowledgeBaseMissing
from rag.pipeline import Pipeline
from rag.schema import Answer
from rag.settings import Settings
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, ScriptedGenerator, build_offline_pipeline, publish_documents
from tests.rag.command import environment, run_rag

pytestmark = pytest.mark.slow


@pytest.mark.real
@pytest.mark.parametrize(
    ("question", "english", "chinese"),
    [
        ("", "Please type a question.", "请输入问题。"),
        ("\x01\x02\x1b\u200b", "Please type a question.", "请输入问题。"),
        ("😀🎉👍🏽", "The question has no words to search for", "问题中没有可以检索的文字"),
        ("长" * 20_000, "The question has 20000 characters", "问题共 20000 个字符"),
    ],
)
def test_questions_that_cannot_be_worked_on(tmp_path: Path, question: str, english: str, chinese: str) -> None:
    for lang, sentence in (("en_GB.UTF-8", english), ("zh_CN.UTF-8", chinese)):
        ran = run_rag("ask", "-", env=environment(tmp_path, LANG=lang), stdin=question.encode())
        assert ran.code == 2
        assert ran.err.startswith(sentence)
        assert ran.err.count("\n") == 1
        assert ran.out == ""


@pytest.mark.real
def test_no_knowledge_base(tmp_path: Path) -> None:
    ran = run_rag("ask", "How long?", env=environment(tmp_path))
    assert ran.code == 3
    assert ran.err.startswith(f"There is no knowledge base in {tmp_path}/knowledge/default yet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("ask", "How long?", "--kb", "../etc"), "--kb"),
        (("batch", "/nowhere.jsonl"), "/nowhere.jsonl cannot be used: there is no such file or folder."),
    ],
)
def test_options_that_cannot_be_used(tmp_path: Path, arguments: tuple[str, ...], part: str) -> None:
    ran = run_rag(*arguments, env=environment(tmp_path))
    assert ran.code == 2
    assert part in ran.err


@pytest.mark.real
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    ran = run_rag("ask", "How long?", env=environment(tmp_path, ANSWERDESK_TOP_K="many"))
    assert ran.code == 2
    assert "ANSWERDESK_TOP_K" in ran.err


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    pipeline = build_offline_pipeline(tmp_path)
    monkeypatch.setattr(command, "_build", lambda settings: pipeline)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    return pipeline


@pytest.mark.usefixtures("offline")
def test_json_is_the_answer_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["ask", "--json", "--no-think", "How long can I send an item back?"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert list(row) == [
        "text",
        "language",
        "refused",
        "thinking",
        "citations",
        "unsupported",
        "spans",
        "model",
        "stand_in",
        "generation",
        "conflicts",
        "lane",
        "origin",
        "instead_of",
        "unconfirmed",
        "left_open",
        "third_language",
        "by_words_alone",
        "quotation",
    ]
    assert set(row["citations"][0]) == {
        "start",
        "end",
        "document_id",
        "document_path",
        "quote",
        "quote_start",
        "quote_end",
        "heading",
        "condition",
    }
    assert Answer.from_json(row).model == "scripted"


@pytest.mark.usefixtures("offline")
def test_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["ask", "--top-k", "1", "How long can I send an item back?"]) == 0
    shown = capsys.readouterr().out
    assert "[1] Returning an order" in shown
    assert "Sources:" in shown
    assert "model scripted, generation 1" in shown


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [
        ("en_GB.UTF-8", "No model server answers at http://127.0.0.1:9, so one is started there."),
        ("zh_CN.UTF-8", "http://127.0.0.1:9 没有模型服务响应，正在该地址启动。"),
    ],
)
def test_that_a_model_server_is_started_and_stays_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lang: str, sentence: str
) -> None:
    def start_a_server(settings: Settings, *, on_server_start: Callable[[], None]) -> Pipeline:
        on_server_start()
        return build_offline_pipeline(tmp_path)

    monkeypatch.setattr("rag.factory.build_pipeline", start_a_server)
    monkeypatch.setattr(command, "load_settings", lambda: Settings(data_dir=tmp_path, ollama_host="127.0.0.1:9"))
    monkeypatch.setenv("LANG", lang)
    assert command.main(["ask", "--json", "--no-think", "How long can I send an item back?"]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith(sentence) and "python -m rag.ollama stop" in shown.err
    assert json.loads(shown.out)["model"] == "scripted"


def test_a_refusal_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = build_offline_pipeline(tmp_path, refusal_threshold=1.0)
    monkeypatch.setattr(command, "_build", lambda settings: pipeline)
    assert command.main(["ask", "Do you sell cars?"]) == 0
    assert "does not hold the answer" in capsys.readouterr().out


@pytest.mark.usefixtures("offline")
def test_a_batch_goes_on_after_a_bad_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        '{"id": "a", "question": "How long can I send an item back?"}',
        "",
        '{"id": "b", "question": "😀"}',
        '"退款"',
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
    assert command.main(["batch", "-"]) == 2
    shown = capsys.readouterr()
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert [row["id"] for row in rows] == ["a", "b", "4"]
    assert rows[1]["error"]["kind"] == "QuestionWithoutWords"
    assert rows[2]["answer"]["language"] == "zh"
    failed, total = shown.err.splitlines()
    assert failed.startswith("b: The question has no words to search for")
    assert total == "1 of 3 questions failed."


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("lang", "first", "last"),
    [
        ("en_GB.UTF-8", "b: The question has no words", "1 of 2 questions failed."),
        ("zh_CN.UTF-8", "b：问题中没有可以检索的文字", "2 个问题中有 1 个未能回答。"),
    ],
)
def test_what_failed_is_named_also_where_the_answers_go_to_a_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lang: str,
    first: str,
    last: str,
) -> None:
    monkeypatch.setenv("LANG", lang)
    asked, answers = tmp_path / "asked.jsonl", tmp_path / "answers.jsonl"
    asked.write_text('{"id": "a", "question": "How long can I return it?"}\n{"id": "b", "question": "!!!"}\n', "utf-8")
    assert command.main(["batch", str(asked), str(answers)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[0].startswith(first)
    assert shown.err.splitlines()[1:] == [last]


@pytest.mark.usefixtures("offline")
def test_a_file_without_questions_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = tmp_path / "asked.jsonl"
    asked.write_text("\n\n", encoding="utf-8")
    assert command.main(["batch", str(asked)]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"{asked} has no questions.\n")


def test_a_batch_ends_where_nothing_can_be_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(settings: object) -> Pipeline:
        raise KnowledgeBaseMissing(folder=tmp_path)

    monkeypatch.setattr(command, "_build", missing)
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "How long?"}\n', encoding="utf-8")
    assert command.main(["batch", str(file)]) == 3
    assert capsys.readouterr().out == ""


def test_ctrl_c_ends_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_build", lambda settings: build_offline_pipeline(tmp_path))
    monkeypatch.setattr(ScriptedGenerator, "generate", _interrupted)
    assert command.main(["ask", "How long?"]) == 130
    assert "Stopped" in capsys.readouterr().err


def _interrupted(*arguments: object, **named: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("offline")
def test_filters_leave_out_what_may_not_be_found(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["ask", "--json", "--no-think", "How long can I send an item back?"]
    assert command.main([*asked, "--language-of-sources", "en", "--since", "2026-04-01"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert {citation["document_id"] for citation in row["citations"]} == {"returns.md"}
    assert command.main([*asked, "--product", "Drift R9"]) == 0
    assert json.loads(capsys.readouterr().out)["refused"]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("lang", "sentence"),
    [
        ("en_GB.UTF-8", "No document fits {options}, so nothing can be found."),
        ("zh_CN.UTF-8", "没有符合 {options} 的文档，因此查不到任何内容。"),
    ],
)
def test_filters_that_no_document_fits_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lang: str, sentence: str
) -> None:
    monkeypatch.setenv("LANG", lang)
    settings = Settings(data_dir=tmp_path / "data")
    publish_documents(settings.knowledge_dir, SAMPLE_DOCUMENTS, HashEmbedder())
    monkeypatch.setattr(command, "load_settings", lambda: settings)
    asked = tmp_path / "asked.jsonl"
    asked.write_text('"How long can I send an item back?"\n', encoding="utf-8")
    for words in (["ask", "--json", "--no-think", "How long can I send an item back?"], ["batch", str(asked)]):
        assert command.main([*words, "--product", "Nope"]) == 0
        assert sentence.format(options='--product "Nope"') in capsys.readouterr().err
        assert command.main([*words, "--since", "2099-01-01"]) == 0
        assert sentence.format(options="--since 2099-01-01") in capsys.readouterr().err
        assert command.main([*words, "--since", "2020-01-01", "--language-of-sources", "en"]) == 0
        assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("lang", "words"), [("en_GB.UTF-8", "is not a day like"), ("zh_CN.UTF-8", "不是形如")])
def test_a_day_that_is_none_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lang: str, words: str
) -> None:
    monkeypatch.setenv("LANG", lang)
    assert command.main(["ask", "How long?", "--since", "last week"]) == 2
    assert words in capsys.readouterr().err
