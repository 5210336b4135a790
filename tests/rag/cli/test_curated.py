"""``python -m rag curated``: persons' answers from the terminal, and served by every process."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import rag.__main__ as command
from rag.reuse.curated import Curation, Place
from rag.settings import Settings, load_settings
from rag.storage.regression import RegressionQuestions
from rag.storage.store import KnowledgeStore
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents
from rag.tracing import Trace
from tests.rag.command import environment, run_rag

pytestmark = pytest.mark.slow

QUESTION, ANSWER = "How long is the warranty?", "Two years."


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ANSWERDESK_USER_NAME", "Lin")
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    load_settings.cache_clear()
    publish_documents(tmp_path / "knowledge" / "default", SAMPLE_DOCUMENTS, HashEmbedder())
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Sequence[str]:
    assert command.main(["curated", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("data")
def test_bytes_that_are_no_text_are_kept_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "add", "How \udcff long?", "\udce4\udcb8\udca4 years.") == ["no. 1 serves from now on"]
    assert run(capsys, "list")[1:] == ["    How \ufffd long?", "    \u4e24 years."]


@pytest.mark.usefixtures("data")
def test_a_file_that_cannot_be_written_is_told_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "add", QUESTION, ANSWER)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert command.main(["curated", "export", "/dev/full"]) == 2
    assert capsys.readouterr().err == "无法使用 /dev/full：磁盘已满。\n"


@pytest.mark.usefixtures("data")
def test_the_life_of_an_answer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(capsys, "list") == ["There are no such answers."]
    assert run(capsys, "list", "--json") == ["[]"]
    added = run(capsys, "add", QUESTION, ANSWER, "--document", "kettle.md", "--until", "2099-12-31")
    assert added == ["no. 1 serves from now on"]
    monkeypatch.setenv("ANSWERDESK_CURATED_REVIEW", "true")
    load_settings.cache_clear()
    assert run(capsys, "add", QUESTION, "Three years.", "--by", "王") == ["no. 2 waits for approval"]
    listed = run(capsys, "list", "--state", "waiting")
    assert listed[0].startswith("2  waits for approval  王, 20")
    assert listed[1:] == ["    How long is the warranty?", "    Three years."]
    assert run(capsys, "approve", "2") == ["no. 2 serves from now on"]
    rows = json.loads("\n".join(run(capsys, "list", "--json")))
    assert [(row["number"], row["state"]) for row in rows] == [(2, "serving"), (1, "retired")]
    assert rows[1]["documents"] == ["kettle.md"]
    assert [(event["person"], event["what"]) for event in rows[1]["history"]] == [
        ("Lin", "written"),
        ("Lin", "replaced"),
    ]
    assert run(capsys, "retire", "2", "--note", "was wrong") == ["no. 2 serves no more"]


@pytest.mark.parametrize("lang", ["en_GB.UTF-8", "zh_CN.UTF-8"])
def test_an_answer_that_nobody_signed_is_listed_with_its_day_and_each_document_once(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    monkeypatch.setenv("LANG", lang)
    curation = Curation.of(Settings(data_dir=data))
    places = [Place("kettle.md", 0, 10), Place("kettle.md", 10, 20), Place("lock.md")]
    written = curation.write(QUESTION, ANSWER, author="", sources=places)
    first, *_ = run(capsys, "list")
    assert first.split()[-1] == f"{written.written_at:%Y-%m-%d}"
    assert not set(first) & set(",，")
    (row,) = json.loads("".join(run(capsys, "list", "--json")))
    assert row["documents"] == ["kettle.md", "lock.md"]


@pytest.mark.usefixtures("data")
def test_an_address_that_no_document_has_is_named_when_an_answer_is_added(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "add", QUESTION, "Two years. Pay at http://evil.example/pay.") == [
        "no. 1 serves from now on",
        "Please check this contact, which no document has or nobody has confirmed: Pay at http://evil.example/pay.",
    ]


def test_an_export_has_all_and_the_gate_knows_the_question(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", "保修多久？", "两年。", "--document", "lock.md")
    file = data / "answers.jsonl"
    assert run(capsys, "export", str(file)) == [f"1 answer written to {file}"]
    row = json.loads(file.read_text(encoding="utf-8"))
    assert (row["question"], row["language"], row["author"]) == ("保修多久？", "zh", "Lin")
    assert run(capsys, "export") == [json.dumps(row, ensure_ascii=False)]
    store = KnowledgeStore(data / "knowledge" / "default")
    assert [one.asked.origin for one in RegressionQuestions(store).all()] == ["correction"]


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("arguments", "code", "english", "chinese"),
    [
        (["approve", "9"], 3, "There is no curated answer no. 9", "没有编号为 9 的人工答案"),
        (["add", " ", "x"], 3, "both a question and an answer are needed", "问题和答案都不能为空"),
        (["add", "x?", "y", "--document", "z\x1b.md"], 3, r"no document z\x1b.md", r"没有文档 z\x1b.md"),
        (
            ["add", "x?", "y", "--until", "2020-01-01"],
            3,
            "its last day, 2020-01-01, is over",
            "有效期已于 2020-01-01 结束",
        ),
        (["add", "x?", "y", "--until", "soon"], 2, "--until: soon is not a day", "--until：soon 不是形如"),
        (["export", "/nowhere/x.jsonl"], 2, "/nowhere/x.jsonl", "/nowhere/x.jsonl"),
        (["list", "--kb", "../etc"], 2, "KNOWLEDGE_BASE", "KNOWLEDGE_BASE"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    english: str,
    chinese: str,
) -> None:
    for lang, words in (("en_GB.UTF-8", english), ("zh_CN.UTF-8", chinese)):
        monkeypatch.setenv("LANG", lang)
        assert command.main(["curated", *arguments]) == code
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1


@pytest.mark.real
def test_another_process_serves_it_at_once(data: Path) -> None:
    settings = Settings(data_dir=data)
    curation = Curation.of(settings)
    assert curation.answer(QUESTION, "en", Trace()) is None
    ran = run_rag("curated", "add", QUESTION, ANSWER, env=environment(data))
    assert ran.code == 0, ran.err
    served = curation.answer("how long is my warranty", "en", Trace())
    assert served is not None
    assert served.completed.answer.text == ANSWER
