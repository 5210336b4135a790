"""Conversations from a file: what is read, what is refused, and an answer file that goes on."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import rag.__main__ as command
from rag.cli.batch import read_conversations
from rag.errors import BatchLinesUnusable, ModelTimedOut, OllamaUnavailable, SettingsError
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.schema import Answer
from rag.testing import ScriptedGenerator, build_offline_pipeline

CONVERSATIONS: list[dict[str, object]] = [
    {"id": "c1", "turns": [{"user": "How long can I send an item back?"}]},
    {
        "id": "c2",
        "turns": [{"user": "Is the return label free in the UK?", "assistant": "Yes."}, {"user": "and from the EU?"}],
    },
    {"id": 3, "turns": [{"user": "How do I descale the kettle?"}]},
]


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def test_the_last_turn_is_asked_and_the_users_earlier_ones_go_with_it() -> None:
    rows = [
        *CONVERSATIONS,
        {"id": "c4", "turns": [{"user": "a"}, {"assistant": "b"}, {"user": "c", "assistant": None}]},
        {"question": "q"},
        "bare",
    ]
    found = read_conversations(lines(*rows), "in.jsonl")
    assert [one.conversation_id for one in found] == ["c1", "c2", "3", "c4", "5", "6"]
    assert found[1].earlier == ("Is the return label free in the UK?",)
    assert (found[3].question, found[3].earlier) == ("c", ("a",))
    assert [one.is_bare for one in found] == [False] * 4 + [True, True]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "x", ', "JSON"),
        ("[1]", "object"),
        ('{"id": null, "question": "q"}', '"id"'),
        ('{"id": "x"}', '"question"'),
        ('{"id": "x", "turns": []}', '"turns"'),
        ('{"id": "x", "turns": [{"user": 1}]}', '"turns"'),
        ('{"id": "x", "turns": [{"user": "q", "assistant": "a"}]}', '"turns"'),
        ('{"id": "x", "turns": [{"user": "q", "system": "obey"}]}', '"turns"'),
        ('{"id": "c1", "question": "again"}', "same id"),
    ],
)
def test_every_bad_line_is_named_by_its_number(line: str, reason: str) -> None:
    raw = lines(CONVERSATIONS[0]) + b"\n" + line.encode() + b"\n{\n"
    with pytest.raises(BatchLinesUnusable) as raised:
        read_conversations(raw, "in.jsonl")
    first, second = raised.value.text("en").splitlines()
    assert first.startswith("in.jsonl:3: ")
    assert reason in first
    assert second == "in.jsonl:4: not valid JSON"
    assert [said.split("：")[0] for said in raised.value.text("zh").splitlines()] == [
        "in.jsonl 第 3 行",
        "in.jsonl 第 4 行",
    ]


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(SettingsError, match="UTF-8"):
        read_conversations("退款".encode("gb18030"), "in.jsonl")


class Model:
    """Quotes the first passage; questions with the words of ``dies_at`` meet an error."""

    def __init__(self, dies_at: str = "", error: BaseException | None = None) -> None:
        self.dies_at, self.error = dies_at, error or OllamaUnavailable(host="h")
        self.asked: list[str] = []

    def __call__(self, messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        content = messages[-1].content
        self.asked.append(content.rpartition("(end of documents)")[2].strip())
        if self.dies_at and self.dies_at in content:
            if isinstance(self.error, Exception):
                return [self.error]
            raise self.error
        return [GeneratedText(content.partition("[1] ")[2].splitlines()[1])]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "in.jsonl").write_bytes(lines(*CONVERSATIONS))
    return str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl")


def use(monkeypatch: pytest.MonkeyPatch, folder: Path, model: Model) -> Model:
    pipeline = build_offline_pipeline(folder, generator=ScriptedGenerator(model))
    monkeypatch.setattr(command, "_build", lambda settings: pipeline)
    return model


def rows_of(path: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_each_line_is_the_answer_and_its_id(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = use(monkeypatch, tmp_path / "kb", Model())
    assert command.main(["batch", *files]) == 0
    rows = rows_of(files[1])
    assert [row.pop("id") for row in rows] == ["c1", "c2", 3]
    assert [Answer.from_json(row).model for row in rows] == ["scripted"] * 3
    assert "Is the return label free in the UK?" in model.asked[1], "the earlier question goes along"
    assert "Is the return label" not in model.asked[2]
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_keeps_the_order(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path / "a", Model("and from the EU?", ModelTimedOut(seconds=1.0)))
    assert command.main(["batch", *files]) == 4
    first, failed, third = rows_of(files[1])
    assert failed["error"]["kind"] == "ModelTimedOut"  # type: ignore[index]
    with Path(files[1]).open("a") as out:
        out.write('{"id": "c1", "text": "cut o')

    healed = use(monkeypatch, tmp_path / "b", Model())
    assert command.main(["batch", *files]) == 0
    assert len(healed.asked) == 1, "only the failed one is asked again"
    again = rows_of(files[1])
    assert [row["id"] for row in again] == ["c1", "c2", 3]
    assert (again[0], again[2]) == (first, third)
    assert "error" not in again[1]
    assert command.main(["batch", *files]) == 0
    assert len(healed.asked) == 1


@pytest.mark.slow
def test_a_run_that_is_killed_loses_nothing(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path / "a", Model("and from the EU?", KeyboardInterrupt()))
    assert command.main(["batch", *files]) == 130
    assert [row["id"] for row in rows_of(files[1])] == ["c1"]
    use(monkeypatch, tmp_path / "b", Model())
    assert command.main(["batch", *files]) == 0
    assert [row["id"] for row in rows_of(files[1])] == ["c1", "c2", 3]


def test_bad_lines_end_it_before_anything_is_asked(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = use(monkeypatch, tmp_path / "kb", Model())
    with Path(files[0]).open("a") as asked:
        asked.write('{"id": "c5"}\n{"id": "c6", "turns": "none"}\n')
    assert command.main(["batch", *files]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [":4:" in said[0], ":5:" in said[1], len(said)] == [True, True, 2]
    assert (model.asked, Path(files[1]).exists()) == ([], False)


@pytest.mark.slow
def test_a_file_that_holds_something_else_is_left_as_it_is(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = use(monkeypatch, tmp_path / "kb", Model())
    Path(files[1]).write_text('{"id": "elsewhere", "text": "precious"}\n')
    assert command.main(["batch", *files]) == 2
    assert "not an answer to one of the questions given" in capsys.readouterr().err
    assert "precious" in Path(files[1]).read_text("utf-8")
    assert command.main(["batch", files[0], str(tmp_path / "nowhere" / "out.jsonl")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert model.asked == []
