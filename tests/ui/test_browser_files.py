"""The scripts and styles of the browser are sound, and the check that says so finds what is not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browser_files import STATIC_FOLDER, main, problems


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str, str], list[str]]:
    """Return what is found after one change to one file."""

    def change(name: str, old: str, new: str) -> list[str]:
        folder = shutil.copytree(STATIC_FOLDER, tmp_path / "static")
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        return problems(folder)

    return change


@pytest.mark.slow
def test_the_desk_s_files_are_sound() -> None:
    assert problems() == []
    assert main() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("answer_view.js", "question.textContent =", "question.innerHTML =", "it writes markup by innerHTML"),
        ("choice_list.js", "const list = root", "const list = = root", "no JavaScript: "),
        ("plain_table.js", "const head =", "var head =", "const or let, === and !== are wanted, not 'var'"),
        ("reply_editor.js", 'this.at("undo")', 'this.at("undone")', "nothing has the class undone"),
        ("answer_view.js", "words.best_match", "words.worst_match", "the page gives no word worst_match"),
        ("evidence_view.js", "words.none_found", '"None."', "it uses no word none_found"),
        ("text_cards.css", ".lines {", ".limes {", "nothing has the class limes"),
        ("page.css", "display: none; }", "display: none; }}", "its braces are not balanced"),
        ("turn_socket.js", "export default", "const unused =", "it must export one function"),
        ("tokens.css", "--ad-text:", "--ad-text: \t", "line 4 has a tab, or blanks at its end"),
    ],
)
def test_a_fault_is_found(
    changed: Callable[[str, str, str], list[str]], name: str, old: str, new: str, said: str
) -> None:
    found = changed(name, old, new)
    assert any(line.startswith(f"{name}: {said}") for line in found), found


@pytest.mark.slow
def test_a_file_without_a_component_and_a_component_without_a_script_are_found(tmp_path: Path) -> None:
    folder = shutil.copytree(STATIC_FOLDER, tmp_path / "static")
    (folder / "turn_socket.js").rename(folder / "turn_sockets.js")
    found = problems(folder)
    assert "turn_sockets: no component is called so" in found
    assert "turn_socket: the component has no script" in found
