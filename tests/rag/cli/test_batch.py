"""Conversations from a file: what is read, what is refused, and an answer file that goes on."""

import codecs
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import rag.__main__ as command
from rag.cli.batch import read_conversations
from rag.errors import BatchLinesUnusable, ModelTimedOut, OllamaUnavailable
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
        (r'{"id": "s", "question": "\ud800 return an order"}', "surrogate"),
        (r'"\udfff"', "surrogate"),
        (r'{"id": "\ud800", "question": "q"}', "surrogate"),
        (r'{"turns": [{"user": "\ud800", "assistant": "a"}, {"user": "q"}]}', "surrogate"),
        ("[" * 100_000, "deep"),
        ('{"id": "x", "turns": ' * 100_000, "deep"),
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


def test_lines_that_are_no_utf8_are_named_by_their_numbers() -> None:
    raw = codecs.BOM_UTF8 + lines(CONVERSATIONS[0]) + '"退款"\n'.encode("gb18030") + lines("fine") + b'"\xff"\n'
    with pytest.raises(BatchLinesUnusable) as raised:
        read_conversations(raw, "in.jsonl")
    assert raised.value.text("en").splitlines() == ["in.jsonl:2: not UTF-8 text", "in.jsonl:4: not UTF-8 text"]
    assert raised.value.text("zh").splitlines()[1] == "in.jsonl 第 4 行：不是 UTF-8 文本"


def test_an_emoji_that_json_writes_as_a_pair_is_whole() -> None:
    assert read_conversations(b'"\\ud83d\\ude00 returns"\n', "in.jsonl")[0].question == "\U0001f600 returns"


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


def refused(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run a batch that is refused before a pipeline is built; return what it says in English and in Chinese."""
    said = []
    for locale in ("en_GB.UTF-8", "zh_CN.UTF-8"):
        monkeypatch.setenv("LC_ALL", locale)
        assert command.main(["batch", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        said.append(captured.err.rstrip("\n"))
    return said


def test_the_questions_file_takes_no_answers(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(files[0]).read_bytes()
    (tmp_path / "link.jsonl").symlink_to(files[0])
    for out in (files[0], str(tmp_path / "link.jsonl")):
        assert refused([files[0], out], monkeypatch, capsys) == [
            f"{out} cannot be used: it holds the questions; name another file for the answers.",
            f"无法使用 {out}：其中是问题，请为回答另选文件。",
        ]
    with Path(files[0]).open("rb") as standard_input:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(standard_input))
        assert "holds the questions" in refused(["-", files[0]], monkeypatch, capsys)[0]
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(before)
    assert "not an answer to one of the questions" in refused([files[0], str(copy)], monkeypatch, capsys)[0]
    assert Path(files[0]).read_bytes() == copy.read_bytes() == before


def test_what_is_no_ordinary_file_is_refused_in_words(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for out in ("/dev/full", "/dev/zero", str(pipe)):
        assert refused([files[0], out], monkeypatch, capsys) == [
            f"{out} cannot be used: answers are kept in an ordinary file, not in a device or pipe.",
            f"无法使用 {out}：回答须保存在普通文件中，不能是设备或管道。",
        ]
    for path, english, chinese in (
        ("/dev/zero", "it is a device, not a file", "这是设备，不是文件"),
        (str(tmp_path), "it is a folder", "这是文件夹"),
        (str(tmp_path / "absent"), "there is no such file or folder", "没有这个文件或文件夹"),
        ("x" * 300, "its name is too long", "名称过长"),
    ):
        said = refused([path, files[1]], monkeypatch, capsys)
        assert said == [f"{path} cannot be used: {english}.", f"无法使用 {path}：{chinese}。"]
    assert not Path(files[1]).exists()


def test_no_questions_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, tmp_path / "kb", Model())
    assert command.main(["batch", "/dev/null"]) == 0
    assert capsys.readouterr().out == ""
