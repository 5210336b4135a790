"""Checks the files that run in the browser: ``python -m tests.support.browser_files``.

Node (the one that comes with Playwright) parses every script as it reaches the browser.  Beyond that: no script writes
markup, but for the plots, in which every word is escaped; each ``at("name")`` and each word that a script uses exists;
every style is of something that is there; every file belongs to a component.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

from playwright._impl._driver import compute_driver_executable

from rag.turns import TurnState
from ui.components.turn_view import ANSWER_WORDS, EVIDENCE_WORDS, REPLY_WORDS

CHECKOUT = Path(__file__).resolve().parents[2]
STATIC_FOLDER = CHECKOUT / "ui" / "static"
LOOSE = {"shared.js", "tokens.css", "part.css", "page.css", "sign_in.css", "streamlit_words.json"}
"""The files that belong to no component."""

WORDS = {"answer_view": ANSWER_WORDS, "evidence_view": EVIDENCE_WORDS, "reply_editor": REPLY_WORDS}
"""The sentences that pages hand to scripts, by their keys in the catalogue ``ui``."""

OTHER_SCRIPTS = [CHECKOUT / "eval" / "bench" / "load" / "page_watch.js"]
"""Scripts that no component uses."""

_LONGEST_LINE = 120
_MARKUP = re.compile(r"\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function")
_WITH_MARKUP = {"run_plots.js"}


def problems(folder: Path = STATIC_FOLDER) -> list[str]:
    """Return everything that is wrong, a line each."""
    found: list[str] = []
    for path in sorted(folder.iterdir()):
        text = path.read_text(encoding="utf-8")
        found += [f"{path.name}: {problem}" for problem in _of_text(path.name, text)]
        if path.suffix == ".js" and path.name != "shared.js":
            whole = (folder / "shared.js").read_text(encoding="utf-8") + text
            found += [f"{path.name}: {problem}" for problem in (*_of_script(path, text), *_syntax(whole))]
        elif path.suffix == ".css":
            found += [f"{path.name}: {problem}" for problem in _of_style(path, text)]
    found += [f"{path.name}: {problem}" for path in OTHER_SCRIPTS for problem in _of_other_script(path)]
    drawn = _components()
    named = {path.stem for path in folder.iterdir() if path.name not in LOOSE}
    found += [f"{name}: no component is called so" for name in sorted(named - drawn)]
    return found + [
        f"{name}: the component has no script" for name in sorted(drawn - {p.stem for p in folder.glob("*.js")})
    ]


def _of_text(name: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > _LONGEST_LINE and not name.endswith(".json"):
            yield f"line {number} has {len(line)} characters"
        if line != line.rstrip() or "\t" in line:
            yield f"line {number} has a tab, or blanks at its end"
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield "it must end with one line break"
    if text.count("{") != text.count("}"):
        yield "its braces are not balanced"
    if name.endswith(".json") and not isinstance(json.loads(text), dict):
        yield "it is no object"


def _of_script(path: Path, text: str) -> Iterator[str]:
    if path.name not in _WITH_MARKUP and (match := _MARKUP.search(text)):
        yield f"it writes markup by {match.group()}"
    if match := re.search(r"^\s*var\s|[^=!]==[^=]|!=[^=]", text, re.MULTILINE):
        yield f"const or let, === and !== are wanted, not {match.group().strip()!r}"
    if text.count("export default") != 1:
        yield "it must export one function"
    html = path.with_suffix(".html")
    classes = _classes(html.read_text(encoding="utf-8")) if html.is_file() else set()
    yield from (
        f"nothing has the class {name}" for name in sorted(set(re.findall(r'\.at\("([\w-]+)"\)', text)) - classes)
    )
    given = WORDS.get(path.stem)
    if given is None:
        return
    used = set(re.findall(r"\bwords\.(\w+)\b(?!\()", text))
    yield from (f"the page gives no word {name}" for name in sorted(used - set(given)))
    yield from (f"it uses no word {name}" for name in given if not _is_used(name, text))


def _of_other_script(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    yield from _of_text(path.name, text)
    yield from _syntax(text)


def _of_style(path: Path, text: str) -> Iterator[str]:
    """Yield classes that neither the component's HTML nor its script, nor any module of ``ui`` names."""
    if path.name in LOOSE:
        return
    beside = "".join(
        other.read_text(encoding="utf-8")
        for other in (path.with_suffix(".html"), path.with_suffix(".js"))
        if other.is_file()
    )
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    selectors = " ".join(re.findall(r"([^{}]+)\{", text))
    for name in sorted(set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors))):
        if not re.search(rf"(?<![\w-]){name}(?![\w-])", beside) and not _named_in_python(name):
            yield f"nothing has the class {name}"


def _syntax(text: str) -> Iterator[str]:
    node = compute_driver_executable()[0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.mjs"
        file.write_text(text, encoding="utf-8")
        done = subprocess.run([node, "--check", str(file)], capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"no JavaScript: {done.stderr.strip().splitlines()[-3:]}"


def _classes(html: str) -> set[str]:
    return {name for names in re.findall(r'class="([^"]*)"', html) for name in names.split()}


@cache
def _sources() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted((CHECKOUT / "ui").rglob("*.py")))


def _components() -> set[str]:
    return set(re.findall(r'\bcomponent\("(\w+)"', _sources()))


def _named_in_python(name: str) -> bool:
    return f'"{name}"' in _sources()


def _is_used(word: str, script: str) -> bool:
    """Tell whether a script names a word, as ``words.NAME``, as a state of a turn, or as the stage of one."""
    stage = word.removeprefix("stage_")
    return f"words.{word}" in script or word in get_args(TurnState) or (stage != word and f'"{stage}"' in script)


def main() -> int:
    """Print the problems and return 1 where there are any."""
    found = problems()
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
