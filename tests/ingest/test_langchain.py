"""Documents of LangChain loaders in the knowledge base: ids that stay, what is skipped, retired and held back."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document as LangChainDocument

from ingest import IngestOptions, ingest_documents
from ingest.__main__ import main
from ingest.check import check
from ingest.gate import register
from ingest.langchain import documents_difference, open_loader
from ingest.pipeline import ingest as ingest_files
from ingest.summary import IngestSummary
from rag.errors import LoaderFailed, LoaderUnusable, NothingToIngest
from rag.people.audit import AuditTrail
from rag.schema import Document
from tests.ingest.conftest import Desk

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # langchain_community announces its end
PRUNE = IngestOptions(prune=True)
LOADERS = "tests.ingest.fixtures.foreign_loaders"


def community(name: str) -> Any:
    return getattr(import_module("langchain_community.document_loaders"), name)


def loaded(text: str, **metadata: object) -> LangChainDocument:
    return LangChainDocument(page_content=text, metadata=metadata)


def take(
    desk: Desk, documents: Iterable[LangChainDocument], options: IngestOptions | None = None, collection: str = "faq"
) -> IngestSummary:
    desk.embedder.embedded.clear()
    return ingest_documents(documents, desk.settings, desk.embedder, options, collection=collection)


def counts(summary: IngestSummary) -> tuple[int, int, int, int, int]:
    return summary.added, summary.changed, summary.unchanged, summary.missing, summary.retired


def documents_of(desk: Desk) -> dict[str, Document]:
    store = desk.store
    try:
        generation = store.require_generation()
        return {row.document_id: store.document(row.document_id, generation) for row in store.documents(generation)}
    finally:
        store.close()


def write_csv(path: Path, rows: dict[str, str]) -> str:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer"])
        writer.writerows(rows.items())
    return str(path)


@pytest.mark.slow
def test_rows_of_a_csv_file_are_skipped_changed_and_retired(desk: Desk, tmp_path: Path) -> None:
    loader = community("CSVLoader")(write_csv(tmp_path / "faq_en.csv", {"Gift?": "We wrap it.", "Open?": "Until 6."}))
    assert counts(take(desk, loader.lazy_load())) == (2, 0, 0, 0, 0)
    first = documents_of(desk)[f"{tmp_path}/faq_en.csv#row=0"]
    assert first.text == "question: Gift?\nanswer: We wrap it."
    assert (first.title, first.language, first.source) == ("faq en, row 0", "en", "")
    assert first.metadata == {"format": "loader", "origin": f"{tmp_path}/faq_en.csv", "row": "0"}
    assert first.path == f"collection:faq/{tmp_path}/faq_en.csv#row=0"

    again = take(desk, loader.lazy_load())
    assert (counts(again), again.published, desk.embedder.embedded) == ((0, 0, 2, 0, 0), False, [])

    write_csv(tmp_path / "faq_en.csv", {"Gift?": "We do not wrap it."})
    assert counts(take(desk, loader.lazy_load())) == (0, 1, 0, 1, 0)
    assert len(desk.embedder.embedded) == 1
    assert len(desk.documents()) == 2
    assert counts(take(desk, loader.lazy_load(), PRUNE)) == (0, 0, 1, 0, 1)
    assert desk.documents() == {f"{tmp_path}/faq_en.csv#row=0": "question: Gift?\nanswer: We do not wrap it."}
    assert check(desk.settings.knowledge_dir).findings == ()


@pytest.mark.slow
def test_titles_of_whole_files(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("退货期限\n\n七天内可以退货。")
    (tmp_path / "b.txt").write_text("x" * 150)
    (tmp_path / "c.html").write_text("<html><head><title>Our fees</title></head><body><p>The lock costs 79.</p></body>")
    documents = [
        *community("TextLoader")(str(tmp_path / "a.txt"), encoding="utf-8").lazy_load(),
        *community("TextLoader")(str(tmp_path / "b.txt")).lazy_load(),
        *community("BSHTMLLoader")(str(tmp_path / "c.html")).lazy_load(),
    ]
    take(desk, documents)
    found = documents_of(desk)
    assert [(document.title, document.language) for document in found.values()] == [
        ("退货期限", "zh"),
        ("b", "en"),
        ("Our fees", "en"),
    ]


@pytest.mark.slow
def test_what_a_loader_says_of_a_document_becomes_its_fields(desk: Desk) -> None:
    take(
        desk,
        [
            loaded(
                "Pay within 14 days.",
                id=7,
                source="s3://bucket/pay.html",
                url="https://shop.example/pay",
                title="Paying",
                last_modified=datetime(2026, 8, 1, 12, 30),
                valid_until="2026-12-31",
                audience="internal",
                author={"name": "Lin"},
                tags=["pay", "days"],
                blob=b"x",
            ),
            loaded("Call us.", source="javascript:alert(1)", title="a\u202eb"),
        ],
    )
    paying, calling = documents_of(desk)["7"], documents_of(desk)["javascript:alert(1)"]
    assert (paying.title, paying.source) == ("Paying", "https://shop.example/pay")
    assert (paying.updated_on, paying.audience) == (date(2026, 8, 1), "internal")
    assert paying.metadata["valid_until"] == "2026-12-31"
    assert (paying.metadata["author.name"], paying.metadata["tags"]) == ("Lin", "pay, days")
    assert "blob" not in paying.metadata
    assert (calling.source, calling.title) == ("", "ab")


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (LangChainDocument(id="own", page_content="x", metadata={"id": "other", "page": 2}), "own"),
        (loaded("x", id="a", source="b.pdf", page=2), "a#page=2"),
        (loaded("x", source="b.pdf", page=2, start_index=40), "b.pdf#page=2#start_index=40"),
        (loaded("x", source="chat.json", seq_num=3), "chat.json#seq_num=3"),
        (loaded("x", loc="https://a.example/b"), "https://a.example/b"),
        (loaded("x", title="Fees"), "Fees"),
        (loaded("x"), "2d711642b726"),  # sha256 of "x"
    ],
)
def test_ids(desk: Desk, document: LangChainDocument, name: str) -> None:
    take(desk, [document])
    assert list(desk.documents()) == [name]


@pytest.mark.slow
def test_a_long_id_is_cut_and_stays_its_own(desk: Desk) -> None:
    take(desk, [loaded("One.", id="a" * 300 + "1"), loaded("Two.", id="a" * 300 + "2")])
    names = list(desk.documents())
    assert sorted(desk.documents().values()) == ["One.", "Two."]
    assert [len(name) for name in names] == [200, 200]


@pytest.mark.slow
def test_a_repeated_id_is_numbered_in_the_loaders_order(desk: Desk) -> None:
    documents = [loaded("One.", id="a"), loaded("Three.", id="a#2"), loaded("Two.", id="a"), loaded("Four.", id="a")]
    take(desk, documents)
    expected = {"a": "One.", "a#2": "Three.", "a#3": "Two.", "a#4": "Four."}
    assert desk.documents() == expected
    assert counts(take(desk, documents)) == (0, 0, 4, 0, 0)


@pytest.mark.slow
def test_files_and_collections_leave_each_other_alone(desk: Desk) -> None:
    desk.ingest()
    assert counts(take(desk, [loaded("We glue it.", id="q1"), loaded("Other.", id="x")], PRUNE)) == (2, 0, 0, 0, 0)
    assert counts(take(desk, [loaded("We sew it.", id="q1"), loaded("Third.", id="x")], PRUNE, "sew")) == (
        2,
        0,
        0,
        0,
        0,
    )
    texts = desk.documents()
    assert (texts["q1"], texts["faq/q1"], texts["sew/q1"]) == ("We wrap it.", "We glue it.", "We sew it.")
    assert (texts["x"], texts["sew/x"]) == ("Other.", "Third.")

    desk.write("x", "unused")
    desk.write("more.jsonl", '{"id": "x", "text": "Of a file."}\n')
    assert counts(desk.ingest(prune=True)) == (1, 0, 4, 0, 0)
    assert desk.documents()["more.jsonl/x"] == "Of a file."
    (desk.manual / "faq.jsonl").unlink()
    assert desk.ingest(prune=True).retired == 2
    assert counts(take(desk, [loaded("We sew it.", id="q1")], PRUNE, "sew")) == (0, 0, 1, 0, 1)  # keeps its id
    assert desk.documents()["sew/q1"] == "We sew it."
    assert desk.documents()["x"] == "Other."


@pytest.mark.slow
def test_a_rebuild_keeps_collections_from_the_store(desk: Desk) -> None:
    take(desk, [loaded("We glue it.", id="g")])
    ingest_files([], desk.settings, desk.embedder, IngestOptions(rebuild=True))
    assert desk.documents() == {"g": "We glue it."}
    assert counts(take(desk, [loaded("We glue it.", id="g")], IngestOptions(rebuild=True))) == (0, 0, 1, 0, 0)
    assert check(desk.settings.knowledge_dir).findings == ()


@pytest.mark.slow
def test_a_document_that_has_moved(desk: Desk) -> None:
    take(desk, [loaded("We glue it.", id="old", title="Glue")])
    summary = take(desk, [loaded("We glue it.", id="new", title="Glue")])
    assert (summary.moved, counts(summary)) == (1, (0, 0, 0, 0, 0))
    assert list(desk.documents()) == ["new"]


@pytest.mark.slow
def test_an_empty_document_is_named_and_stays_as_it_was(desk: Desk) -> None:
    take(desk, [loaded("We glue it.", id="g"), loaded("Other.", id="x")])
    summary = take(desk, [loaded(" \u200b\n", id="g"), loaded("Other.", id="x")], PRUNE)
    assert [failure.text("en") for failure in summary.failures] == [
        "collection:faq/g could not be read: it contains no text"
    ]
    assert desk.documents() == {"g": "We glue it.", "x": "Other."}


def test_a_day_that_nobody_can_read_is_named(desk: Desk) -> None:
    summary = take(desk, [loaded("We glue it.", id="g", valid_until="soon")])
    assert [failure.details["where"] for failure in summary.failures] == ["valid_until: soon"]
    assert desk.documents() == {"g": "We glue it."}


@pytest.mark.slow
def test_a_document_over_the_limit_is_named(desk: Desk) -> None:
    desk.settings = desk.settings.changed(document_limit_megabytes=1)
    summary = take(desk, [loaded("x " * 500_001, id="g"), loaded("Other.", id="x")])
    assert [failure.details["reason"] for failure in summary.failures] == ["too_large"]
    assert desk.documents() == {"x": "Other."}


@pytest.mark.slow
def test_the_gate_holds_a_worse_collection_back(desk: Desk, tmp_path: Path) -> None:
    take(desk, [loaded("We glue broken cups.", id="g"), loaded("Other.", id="x")])
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"id": "1", "question": "Who glues broken cups?", "lang": "en", "relevant": ["g"]}\n')
    register(questions, desk.settings)
    worse = [loaded("Nothing here.", id="g"), *(loaded(f"Broken cups, who glues, {n}.", id=f"n{n}") for n in range(9))]
    summary = take(desk, worse)
    assert (summary.published, summary.is_held_back) == (False, True)
    assert desk.documents()["g"] == "We glue broken cups."
    assert take(desk, worse, IngestOptions(force=True)).published


@pytest.mark.slow
def test_what_would_change(desk: Desk) -> None:
    take(desk, [loaded("One.", id="a"), loaded("Two.", id="b"), loaded("Three.", id="c", title="Same")])
    documents = [
        loaded("One!", id="a"),
        loaded("", id="b"),
        loaded("Three.", id="d", title="Same"),
        loaded("5", id="e"),
    ]
    found = documents_difference(documents, desk.settings, collection="faq")
    assert (found.added, found.changed, found.moved, found.missing) == (("e",), ("a",), (("c", "d"),), ())
    assert [failure.details["path"] for failure in found.failures] == ["collection:faq/b"]
    assert desk.documents() == {"a": "One.", "b": "Two.", "c": "Three."}
    with pytest.raises(NothingToIngest):
        documents_difference([], desk.settings, collection="faq")


@pytest.mark.slow
def test_a_loader_that_loads_nothing_retires_nothing(desk: Desk) -> None:
    take(desk, [loaded("One.", id="a")])
    with pytest.raises(NothingToIngest, match="collection:faq"):
        take(desk, [], PRUNE)
    assert desk.documents() == {"a": "One."}


@pytest.mark.slow
def test_a_loader_that_fails_publishes_nothing(desk: Desk) -> None:
    take(desk, [loaded("One.", id="a")])
    with pytest.raises(LoaderFailed) as raised:
        take(desk, open_loader(f"{LOADERS}:Breaking").documents(), PRUNE)
    assert raised.value.text("en") == (
        "The loader of collection:faq failed after 1 document, and nothing was published: "
        "RuntimeError: Error loading page 2 (FileNotFoundError: no such page at all)"
    )
    assert raised.value.text("zh").startswith(
        "collection:faq 的加载器在读取 1 篇文档后出错，未发布任何内容：RuntimeError"
    )
    assert desk.documents() == {"a": "One."}
    with pytest.raises(LoaderFailed, match="str is not a document with page_content and metadata"):
        take(desk, ["text"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("specification", "arguments", "said"),
    [
        ("os.system", "{}", "name it as module:Class"),
        ("no_such_module_here:Loader", "{}", "it cannot be imported (ModuleNotFoundError: No module named 'no_such"),
        (f"{LOADERS}:Nothing", "{}", "it cannot be imported (AttributeError: module "),
        (f"{LOADERS}:NotALoader", "{}", "it has no method lazy_load"),
        (f"{LOADERS}:Articles", "{}", "it does not take these arguments (TypeError: "),
        (f"{LOADERS}:Articles", "[1]", "--loader-args is not a JSON object (list)"),
        (f"{LOADERS}:Articles", "{'texts'", "--loader-args is not a JSON object (Expecting property name"),
    ],
)
def test_a_loader_that_cannot_be_used(specification: str, arguments: str, said: str) -> None:
    with pytest.raises(LoaderUnusable) as raised:
        open_loader(specification, arguments)
    assert raised.value.text("en").startswith(f"The loader {specification} cannot be used: {said}")
    assert raised.value.text("zh").startswith(f"无法使用加载器 {specification}：")
    assert raised.value.exit_code == 2


def test_the_collection_is_named_after_class_and_arguments() -> None:
    one = open_loader(f"{LOADERS}:Articles", '{"texts": {"a": "A."}}')
    other = open_loader(f"{LOADERS}:Articles", '{"texts": {"a": "B."}}')
    assert one.collection.startswith("Articles-") and len(one.collection) == len("Articles-") + 8
    assert one.collection != other.collection
    assert open_loader(f"{LOADERS}:Articles", '{"texts": {}}', "mine").collection == "mine"
    with pytest.raises(LoaderUnusable, match="at most 64 letters"):
        open_loader(f"{LOADERS}:Articles", '{"texts": {}}', "a/b")


def arguments(texts: dict[str, str], *more: str) -> list[str]:
    given = json.dumps({"texts": texts})
    return ["--loader", f"{LOADERS}:Articles", "--loader-args", given, "--collection", "faq", *more]


@pytest.mark.slow
def test_the_command(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments({"a": "One.", "b": "Two."})) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "Added 2, changed 0, unchanged 0, moved 0, retired 0, failed 0."
    assert err == "loading\n"  # what a loader prints is no part of our output
    assert main(arguments({"a": "One!", "c": "Three."}, "--diff")) == 0
    assert capsys.readouterr().out.splitlines()[:3] == ["+ c", "~ a", "- b"]
    assert main(arguments({"a": "One!"}, "--prune", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["retired"] == 1
    assert main(["--history"]) == 0
    assert "+0 ~1 -1" in capsys.readouterr().out
    trail = AuditTrail(command.settings.people_path)
    assert [entry.what for entry in trail.entries()] == ["published", "published"]
    trail.close()
    assert main(["--rollback"]) == 0
    assert command.documents() == {"a": "One.", "b": "Two."}
    assert main(["--check"]) == 0


@pytest.mark.slow
def test_the_commands_exit_codes(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments({"a": "One.", "b": ""})) == 1
    assert "collection:faq/b could not be read: it contains no text" in capsys.readouterr().err
    assert main(["--loader", f"{LOADERS}:Breaking"]) == 3
    assert "failed after 1 document, and nothing was published: RuntimeError" in capsys.readouterr().err
    assert main(["--loader", "no_such_module_here:Loader"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    for wrong in (["manual", *arguments({})], arguments({}, "--watch"), arguments({}, "--list"), ["--collection", "x"]):
        with pytest.raises(SystemExit) as ended:
            main(wrong)
        assert ended.value.code == 2
        assert "--loader" in capsys.readouterr().err


@pytest.mark.slow
def test_importing_the_package_loads_neither_pipeline_nor_langchain() -> None:
    code = "import sys, ingest, ingest.langchain; print([m for m in sys.modules if m.startswith('langchain')]); "
    light = "import sys, ingest; print('ingest.pipeline' in sys.modules)"
    for program, expected in ((light, "False"), (code, "[]")):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
