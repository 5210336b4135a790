"""The documentation matches the code: terms, settings, errors, events, fields of an answer, links."""

import argparse
import ast
import importlib
import re
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import NoReturn, get_args

import pytest

from ingest.loaders.registry import LOADERS
from rag.errors import AnswerdeskError
from rag.pipeline import AskOptions
from rag.schema import Answer, Citation, Conflict, Event, Origin
from rag.settings import KEPT_FIELDS, Settings
from rag.terminal import INTERRUPTED, READER_GONE

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("rag", "ingest", "eval", "api", "ui")
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
UNITS = {
    "seconds": "seconds",
    "hours": "hours",
    "days": "days",
    "tokens": "tokens",
    "megabytes": "megabytes",
    "megapixels": "megapixels",
    "characters": "characters",
    "pages": "pages",
    "layers": "layers",
    "threads": "threads",
    "port": "port",
}


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _rows(name: str) -> list[list[str]]:
    """Return the cells of every table row of a page, without headers and rules."""
    lines = [line for line in _text(name).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if not line.startswith("|-")]


# exit codes


def test_the_exit_codes_that_all_commands_share_are_stated() -> None:
    before_the_table = _text("docs/errors.md").partition("| class |")[0]
    stated = {int(code) for code in re.findall(r"(\d+) \(", before_the_table)}
    assert stated == {0, 1, INTERRUPTED, READER_GONE, 128 + signal.SIGTERM}


# terms


TERMS = [(row[0], row[2].strip("` |")) for row in _rows("docs/glossary.md") if row[0] != "term"]


@cache
def _defined(path: Path) -> frozenset[str]:
    """Return the names that a module defines or imports at its top level, by its syntax tree alone."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return frozenset(names)


def _is_there(identifier: str) -> bool:
    """Tell whether a dotted name is a module, a package, or defined in one."""
    path = ROOT.joinpath(*identifier.split("."))
    if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
        return True
    module, name = path.parent, path.name
    file = module.with_suffix(".py") if module.with_suffix(".py").is_file() else module / "__init__.py"
    return file.is_file() and name in _defined(file)


@pytest.mark.parametrize(("term", "identifier"), TERMS, ids=[term for term, _ in TERMS])
def test_a_term_of_the_glossary_leads_to_code(term: str, identifier: str) -> None:
    assert identifier.split(".")[0] in FOLDERS
    assert _is_there(identifier), f"{term}: there is no {identifier}"


def test_an_identifier_that_is_gone_would_be_noticed() -> None:
    assert not _is_there("rag.schema.Telegram")
    assert not _is_there("rag.no_such_folder.Document")


def test_the_glossary_has_the_words_of_the_field() -> None:
    terms = {term for term, _ in TERMS}
    assert len(terms) == len(TERMS), "a term stands twice"
    assert terms >= {
        "queue", "ticket", "rerank", "late interaction", "chunk", "retriever", "query rewriting", "standalone question",
        "prompt injection", "guardrail", "grounding", "groundedness", "answerability", "semantic cache",
        "fallback model", "time to first token", "quantization", "p50, p95, p99", "evidence budget", "hallucination",
        "few-shot examples", "citation", "generation", "curated answer", "refusal",
    }  # fmt: skip


# settings


def _documented_settings() -> dict[str, list[str]]:
    rows = [row for row in _rows("docs/settings.md") if len(row) == 4 and row[0] != "variable"]
    return {row[0]: row for row in rows}


def _variables(name: str) -> list[str]:
    alias = Settings.model_fields[name].validation_alias
    return [str(one) for one in alias.choices] if hasattr(alias, "choices") else [f"ANSWERDESK_{name.upper()}"]


def _cell(name: str) -> str:
    return ", ".join(f"`{variable}`" for variable in _variables(name))


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(_documented_settings()) == {_cell(name) for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - {"data_dir", "cache_dir"}))
def test_a_setting_has_its_default_unit_and_bounds(name: str) -> None:
    field = Settings.model_fields[name]
    _, default, unit, meaning = _documented_settings()[_cell(name)]
    value = field.default
    shown = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    assert default == ("empty" if value is None or value == "" else f"`{shown}`")
    signs = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))
    bounds = [f"{sign} {getattr(one, key)}" for one in field.metadata for key, sign in signs if hasattr(one, key)]
    assert re.findall(r"[<>]=? [\d.]+", unit) == bounds
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        assert unit == ", ".join(choices)
    for suffix, word in UNITS.items():
        assert not name.endswith(f"_{suffix}") or word in unit
    assert meaning.strip("| ")


def test_every_setting_that_commands_may_choose_is_named_and_no_other() -> None:
    section = _text("docs/settings.md").partition("## Choices that commands make")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"`([a-z_]+)`", section)) == sorted(KEPT_FIELDS)


def _read_settings() -> set[str]:
    """Return the attributes that the code reads of something called ``settings``, and the class of itself."""
    sources = [path.read_text(encoding="utf-8") for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    own = re.findall(r"\bself\.(\w+)", _text("rag/settings.py"))
    return {*own, *(name for source in sources for name in re.findall(r"(?<![a-z])settings\.(\w+)", source))}


@pytest.mark.slow
def test_every_setting_is_read_somewhere() -> None:
    read = _read_settings()
    assert set(Settings.model_fields) - read == set()
    assert "no_such_setting" not in read


def _environment_names() -> set[str]:
    """Return the names of variables that the code reads from the environment by itself."""
    names: set[str] = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            names.update(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"\]?(?! =)', source))
            names.update(re.findall(r'"([A-Z_]+)" (?:not )?in os\.environ', source))
    return names - {"FORWARDED_ALLOW_IPS"}  # is set for uvicorn, never read


@pytest.mark.slow
def test_every_variable_of_the_environment_is_named() -> None:
    text = _text("docs/settings.md")
    assert {name for name in _environment_names() if f"`{name}`" not in text} == set()


# errors, events, fields of an answer


def _error_classes(root: type[AnswerdeskError] = AnswerdeskError) -> Iterator[type[AnswerdeskError]]:
    yield root
    for below in root.__subclasses__():
        if below.__module__.startswith("rag.errors"):
            yield from _error_classes(below)


def test_every_error_is_documented_with_its_exit_code() -> None:
    rows = [(row[0].strip("`"), int(row[1])) for row in _rows("docs/errors.md") if row[0] != "class"]
    assert sorted(rows) == sorted((cls.__name__, cls.exit_code) for cls in _error_classes())


def test_every_event_and_every_field_of_options_and_answers_is_documented() -> None:
    named = {row[0].strip("`*") for row in _rows("docs/python.md")}
    assert named >= {event.__name__ for event in get_args(Event)}
    assert named >= {field.name for field in fields(Answer)}
    text = _text("docs/python.md")
    inner = {field.name for cls in (AskOptions, Citation, Conflict, Origin) for field in fields(cls)}
    assert {name for name in inner if f"`{name}`" not in text} == set()


# formats


def test_every_ending_that_is_read_stands_in_the_table_and_no_other() -> None:
    cells = [row[1] for row in _rows("docs/formats.md") if re.fullmatch(r"(?:`\.\w+` ?)+", row[1])]
    endings = [ending for cell in cells for ending in re.findall(r"`(\.\w+)`", cell)]
    assert sorted(endings) == sorted(LOADERS)


# links


def _slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading.

    >>> _slug("A team's own words")
    'a-teams-own-words'
    """
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").strip().lower()).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {_slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            dead.append(target)
    assert dead == []


def test_every_page_is_reached_from_the_readme() -> None:
    readme = _text("README.md")
    assert {page.name for page in DOCS if f"docs/{page.name}" not in readme} == set()


# commands

ONE_COMMAND = "answerdesk"
"""The command beside the ``python -m`` forms."""


class _Parsed(Exception):
    """Ends a command as soon as it has read its options, before it does anything."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__(parser.prog)
        self.parser = parser


def _main_of(module: str) -> Callable[[Sequence[str]], int]:
    if module == ONE_COMMAND:
        module = "ui.answerdesk"
    name = f"{module}.__main__" if (ROOT.joinpath(*module.split(".")) / "__main__.py").is_file() else module
    main: Callable[[Sequence[str]], int] = importlib.import_module(name).main
    return main


@pytest.fixture
def parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands read their options and do nothing else."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(
        self: argparse.ArgumentParser, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> NoReturn:
        parse(self, args, namespace)
        raise _Parsed(self)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands build their parser and do nothing else."""

    def stop(self: argparse.ArgumentParser, *_args: object, **_options: object) -> NoReturn:
        raise _Parsed(self)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)


def _code_lines(page: Path) -> list[str]:
    """Return the lines of a page's code blocks, indented or fenced."""
    lines, fenced = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(line.strip().removeprefix("$ "))
    return lines


def _commands(page: Path) -> list[tuple[str, list[str]]]:
    """Return the module, or the one command, and the arguments of each command in a page's code blocks."""
    found = []
    for line in _code_lines(page):
        if shown := re.match(
            r"(?:[A-Z_]+=\S+ )*(?:echo .* \| )?(?:python -m )?((?<=-m )\S+|answerdesk(?= ))(.*)", line
        ):
            module, rest = shown.groups()
            words = shlex.split(rest, comments=True)
            end = next((at for at, word in enumerate(words) if word in ("&", ">", "|")), len(words))
            found.append((module, words[:end]))
    return found


SHOWN = sorted({(module, tuple(words)) for page in PAGES for module, words in _commands(page)})


def test_a_page_shows_commands() -> None:
    assert len(_commands(ROOT / "docs" / "commands.md")) > 60
    assert ("rag", ["ask", "How many days do I have to return a kettle?"]) in _commands(ROOT / "README.md")


@pytest.mark.parametrize(("module", "words"), SHOWN, ids=[" ".join((module, *words)) for module, words in SHOWN])
@pytest.mark.usefixtures("parsing")
def test_a_shown_command_is_accepted(module: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        with pytest.raises(_Parsed):
            _main_of(module)(list(words))
    except SystemExit as ended:
        if ended.code == 0:
            return  # --version and --help are done as soon as they are read
        pytest.fail(f"exit code {ended.code}: {capsys.readouterr().err}")


@pytest.mark.usefixtures("parsing")
def test_a_shown_command_with_a_wrong_option_would_be_noticed() -> None:
    with pytest.raises(SystemExit):
        _main_of("rag")(["ask", "--no-such-option", "How?"])


def _is_command(path: Path) -> bool:
    """Tell whether a module has a ``main`` and deals with options."""
    source = path.read_text(encoding="utf-8")
    return bool(re.search(r"parse_args\(|_parser\(", source) and re.search(r"^def main\(", source, re.MULTILINE))


COMMAND_MODULES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if _is_command(path)]


def _leaves(parser: argparse.ArgumentParser, path: str) -> Iterator[str]:
    """Yield each command of a parser once, by its first name; commands without help are the program's own."""
    for action in parser._actions:
        if action.dest == "command" and not isinstance(action, argparse._SubParsersAction):
            yield from (f"{path} {name}" for name in action.choices or ())
            return
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helped = {shown.dest for shown in action._choices_actions}
            for name, below in action.choices.items():
                if name in helped:
                    yield from _leaves(below, f"{path} {name}")
            return
    yield path


@pytest.mark.parametrize("path", COMMAND_MODULES, ids=[str(path.relative_to(ROOT)) for path in COMMAND_MODULES])
@pytest.mark.usefixtures("building")
def test_every_command_is_shown(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    with pytest.raises(_Parsed) as built:
        importlib.import_module(module).main([])
    commands = _commands(ROOT / "docs" / "commands.md")
    shown = [
        f"{'' if program == ONE_COMMAND else 'python -m '}{program} {' '.join(words)}" for program, words in commands
    ]
    parser = built.value.parser
    missing = [
        leaf for leaf in _leaves(parser, parser.prog) if not any(f"{one} ".startswith(f"{leaf} ") for one in shown)
    ]
    assert missing == []


def test_every_target_of_make_is_shown() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", _text("Makefile"), re.MULTILINE))
    assert {
        name for name in targets if f"    make {name} " not in _text("docs/commands.md").replace("\n", " \n")
    } == set()


def test_the_readme_is_short() -> None:
    assert len(_text("README.md").splitlines()) <= 90


# roles


@pytest.mark.slow
def test_each_page_stands_beside_the_least_role_that_sees_it() -> None:
    from rag.translate import translate
    from ui.navigation import PAGES as ENTRIES

    titles = {translate(f"ui.{entry.key}", "en"): entry.role for entry in ENTRIES}
    rows = {row[0]: re.findall(r"\w+", row[1]) for row in _rows("docs/people.md") if row[0] in titles.values()}
    stated = [(word, role) for role, words in rows.items() for word in words if word in titles]
    assert sorted(stated) == sorted(titles.items())


# architecture


def _folders() -> list[str]:
    """Return the packages below these folders, as the page writes them."""
    markers = [path for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")]
    return sorted(f"{path.parent.relative_to(ROOT).as_posix()}/" for path in markers if path.parent.parent != ROOT)


@pytest.mark.parametrize("folder", _folders())
def test_the_architecture_names_every_folder(folder: str) -> None:
    assert f"`{folder}`" in _text("docs/architecture.md")


MADE_LATER = {"data/runtime/"}
"""What pages name and no checkout has."""


def _named_files(page: Path) -> set[str]:
    found = re.findall(
        r"`((?:rag|ingest|eval|api|ui|tests|data|deploy|docs)/[\w/.-]*)`", page.read_text(encoding="utf-8")
    )
    return set(found) - MADE_LATER


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_points_to_is_there(page: Path) -> None:
    assert {name for name in _named_files(page) if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize(
    ("page", "fewest"), [("docs/architecture.md", 40), ("docs/security.md", 30), ("CONTRIBUTING.md", 70)]
)
def test_the_files_that_a_page_points_to_are_found(page: str, fewest: int) -> None:
    assert len(_named_files(ROOT / page)) > fewest


@pytest.mark.slow
def test_every_file_with_a_test_that_may_be_skipped_is_named() -> None:
    skips = re.compile(r"pytest\.(?:mark\.skip|skip\(|importorskip)")
    files = [path for path in sorted((ROOT / "tests").rglob("*.py")) if skips.search(path.read_text(encoding="utf-8"))]
    named = _named_files(ROOT / "CONTRIBUTING.md")
    assert len(files) > 4
    assert [name for path in files if (name := path.relative_to(ROOT).as_posix()) not in named] == []


@cache
def _written_names() -> frozenset[str]:
    """Return the names that the code writes in the data and the cache folder, as far as patterns find them."""
    patterns = (
        r'(?:data_dir|cache_dir) / "([\w.-]+)"',
        r'^_?[A-Z_]+ = "([\w.-]+\.(?:db|json|lock|key))"',
        r'(?:self|run|kept)\.folder / "([\w.-]+\.(?:json|jsonl|lock|log))"',
        r'"admission" / "([\w.-]+)"',
    )
    sources = [path.read_text(encoding="utf-8") for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return frozenset(
        name for text in sources for pattern in patterns for name in re.findall(pattern, text, re.MULTILINE)
    )


@pytest.mark.slow
def test_the_architecture_names_every_file_on_disk() -> None:
    written = _written_names()
    assert written >= {"turns.db", "people.db", "knowledge.db", "settings.json", "admission", "state.json", "run.json"}
    section = _text("docs/architecture.md").partition("## Files on disk")[2]
    assert {name for name in written if name not in section} == set()
