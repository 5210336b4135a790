"""Checks the catalogues against each other and against the code: ``python -m tests.support.catalogues``.

Every language has the same keys with the same placeholders as English; every key that the code names exists; every key
of the catalogues is named somewhere in the code.  Keys are found in the syntax tree: constants, f-strings such as
``f"ui.role_{role}"``, and calls of a function that hands its argument on, such as ``say("done", language)``.
"""

import ast
import re
import string
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag import errors, translate

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("rag", "ingest", "eval", "api", "ui")
_READERS = frozenset({"translate", "template", "is_known", "markdown_word", "draw_heading"})


def placeholders(text: str) -> set[str]:
    """Return the placeholders of a sentence, each with its format, without the words that only a count decides.

    >>> sorted(placeholders("{n} of {n}, {seconds:.1f} s, {n:file|files}"))
    ['n', 'seconds:.1f']
    """
    return {f"{name}:{spec}" if spec else name for name, spec in _fields(text) if "|" not in spec}


def uncounted(text: str) -> set[str]:
    """Return the counts that decide words of a sentence that does not say them.

    >>> sorted(uncounted("{n} {n:file|files} of {m:folder|folders}"))
    ['m']
    """
    deciding = {name for name, spec in _fields(text) if "|" in spec}
    return deciding - {name.split(":")[0] for name in placeholders(text)}


def _fields(text: str) -> list[tuple[str, str]]:
    return [(name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name is not None]


def load(locale_folder: Path, language: str) -> dict[str, str]:
    """Return all sentences of a language, by their whole key."""
    folder = locale_folder / language
    catalogues = {path.stem if path.is_file() else path.name for path in folder.iterdir()}
    return {
        f"{catalogue}.{name}": text
        for catalogue in sorted(catalogues)
        for name, text in translate.load_catalogue(locale_folder, language, catalogue).items()
    }


def differences(locale_folder: Path) -> list[str]:
    """Return what a language lacks, has too much of, or fills differently than English."""
    english = load(locale_folder, "en")
    found = [f"en: {key} is empty" for key, text in english.items() if not text.strip()]
    found += [
        f"en: {key} has a brace that is no placeholder; write {{{{ or }}}}"
        for key, text in english.items()
        if not all(re.fullmatch(r"\w+(:.+)?", name) for name in placeholders(text))
    ]
    found += _counts_left_out("en", english)
    for folder in sorted(path for path in locale_folder.iterdir() if path.is_dir() and path.name != "en"):
        other, language = load(locale_folder, folder.name), folder.name
        found += [f"{language}: {key} is missing" for key in english.keys() - other.keys()]
        found += [f"{language}: {key} is not in English" for key in other.keys() - english.keys()]
        for key in sorted(english.keys() & other.keys()):
            if placeholders(english[key]) != placeholders(other[key]):
                found.append(f"{language}: {key} has other placeholders than in English")
            if not other[key].strip():
                found.append(f"{language}: {key} is empty")
        found += _counts_left_out(language, other)
    return sorted(found)


def _counts_left_out(language: str, sentences: Mapping[str, str]) -> list[str]:
    return [
        f"{language}: {key} chooses words by {name}, which it does not say"
        for key, text in sentences.items()
        for name in sorted(uncounted(text))
    ]


@dataclass
class Uses:
    """The keys that the code names: whole ones with their place, patterns, and constants that may be parts of one."""

    keys: dict[str, str] = field(default_factory=dict)
    patterns: set[str] = field(default_factory=set)
    open_catalogues: set[str] = field(default_factory=set)
    constants: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)

    def has(self, key: str) -> bool:
        """Return whether something in the code can lead to this key."""
        catalogue, _, name = key.partition(".")
        if key in self.keys or key in self.constants or any(re.fullmatch(pattern, key) for pattern in self.patterns):
            return True
        if catalogue == "errors":
            named, last = name.split(".")[:-1], name.rsplit(".", 1)[-1]
            return last in self.constants and hasattr(errors, named[-1]) if named else hasattr(errors, name)
        return catalogue in self.open_catalogues and (
            name in self.constants or any(re.fullmatch(pattern, name) for pattern in self.parts)
        )


def uses(folder: Path = CHECKOUT) -> Uses:
    """Read every module of the product."""
    found = Uses()
    for path in sorted(path for package in PACKAGES for path in (folder / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        _collect(tree, str(path.relative_to(folder)), found)
    return found


def _collect(tree: ast.Module, file: str, found: Uses) -> None:
    nodes = list(ast.walk(tree))
    inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            found.constants.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            pattern = _pattern(node)
            if re.match(r"[a-z_]+\\\.[a-z]", pattern):  # a catalogue and the beginning of a key, whoever reads it
                found.patterns.add(pattern)
            elif re.match(r"[A-Za-z]+_|.*[A-Za-z_]{3}$", pattern):
                found.parts.add(pattern)
    _collect_calls(tree, [node for node in nodes if isinstance(node, ast.Call) and node.args], file, found)


def _collect_calls(tree: ast.Module, calls: Sequence[ast.Call], file: str, found: Uses) -> None:
    for call in calls:
        if _name_of(call) in _READERS:
            for key in _branches(call.args[0]):
                _note(key, f"{file}:{call.lineno}", found)
    for prefix, name, place in _wrappers(tree):
        for call in calls:
            if _name_of(call) == name and len(call.args) > place:
                for key in _branches(call.args[place]):
                    if isinstance(key, ast.Constant):
                        found.keys.setdefault(f"{prefix}{key.value}", f"{file}:{call.lineno}")


def _note(key: ast.expr, where: str, found: Uses) -> None:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        found.keys.setdefault(key.value, where)
    elif isinstance(key, ast.JoinedStr):
        pattern = _pattern(key)
        whole = re.fullmatch(r"(\w+)\\\.\(\.\+\)", pattern)
        if whole:
            found.open_catalogues.add(whole[1])
        else:
            found.patterns.add(pattern)
    elif isinstance(key, ast.BinOp) and isinstance(key.left, ast.Constant):
        found.open_catalogues.add(str(key.left.value).rstrip("."))


def _branches(key: ast.expr) -> Iterator[ast.expr]:
    if isinstance(key, ast.IfExp):
        yield from _branches(key.body)
        yield from _branches(key.orelse)
    else:
        yield key


def _pattern(text: ast.JoinedStr) -> str:
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else "(.+)" for part in text.values)


def _name_of(call: ast.Call) -> str:
    function = call.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _wrappers(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Yield the functions of a module that hand a parameter on as the end of a key: prefix, name, place."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        parameters = [argument.arg for argument in function.args.args if argument.arg != "self"]
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _name_of(node) in _READERS and node.args:
                key = node.args[0]
                if isinstance(key, ast.JoinedStr) and len(key.values) == 2:
                    prefix, value = key.values
                    name = value.value if isinstance(value, ast.FormattedValue) else None
                    if isinstance(prefix, ast.Constant) and isinstance(name, ast.Name) and name.id in parameters:
                        yield str(prefix.value), function.name, parameters.index(name.id)


def problems(locale_folder: Path = translate.LOCALE_FOLDER, code: Path = CHECKOUT) -> list[str]:
    """Return everything that is wrong, a line each."""
    english: Mapping[str, str] = load(locale_folder, "en")
    found = uses(code)
    return [
        *differences(locale_folder),
        *(f"{where}: there is no sentence {key}" for key, where in sorted(found.keys.items()) if key not in english),
        *(f"en: nothing uses {key}" for key in english if not found.has(key)),
    ]


def main() -> int:
    """Print the problems and return 1 where there are any."""
    found = problems()
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
