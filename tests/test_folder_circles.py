"""The folders of the code import each other one way, and the check that says so finds a circle."""

from pathlib import Path

import pytest

from tests.support.folder_circles import circles, folder_of, imports_between_folders, main


def _package(folder: Path, name: str, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = folder / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(text, encoding="utf-8")
    (folder / name / "__init__.py").touch()


@pytest.mark.slow
def test_the_product_has_no_circle() -> None:
    assert circles(imports_between_folders(["rag", "ingest", "eval", "api", "ui"])) == []


def test_a_circle_is_named_with_its_imports_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "text/words.py": "",
        "text/marks.py": "from roundhouse.store import rows\n",
        "store/rows.py": "",
        "store/files.py": "def load():\n    import roundhouse.text.words\n",
    }
    _package(tmp_path, "roundhouse", files)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["roundhouse"]) == 1
    said = capsys.readouterr().out
    assert "roundhouse.store -> roundhouse.text -> roundhouse.store" in said
    assert "roundhouse.store.files imports roundhouse.text.words" in said
    assert "roundhouse.text.marks imports roundhouse.store.rows" in said


def test_folders_that_import_one_way_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "__main__.py": "import straight.text.words, straight.rules\n",
        "rules.py": "import straight.text.words\n",
        "text/words.py": "",
        "store/rows.py": "import straight.rules, straight.text.words\n",
    }
    _package(tmp_path, "straight", files)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["straight"]) == 0


def test_a_longer_circle_and_one_through_a_root_module_are_found() -> None:
    step = [("", "")]
    assert circles({"a": {"b": step}, "b": {"c": step}, "c": {"a": step, "d": step}}) == [["a", "b", "c"]]
    packages = frozenset({"rag", "rag.text"})
    root, inner = folder_of("rag.answer", packages), folder_of("rag.text.dates", packages)
    assert (root, inner) == ("rag.answer", "rag.text")
    assert circles({root: {inner: step}, inner: {root: step}}) == [["rag.answer", "rag.text"]]
