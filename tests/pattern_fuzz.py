"""Finds every regular expression of the product and runs each on texts made to be slow for it.

Run as a program of its own, for it watches what is compiled while the modules are imported:
``python -m tests.pattern_fuzz PROCESSES ROOT [PART_OF_A_PATH ...]`` writes one JSON object a line.
"""

import ast
import importlib
import json
import multiprocessing
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

PACKAGES = ("rag", "ingest", "eval", "api", "ui")
CHARACTERS = 100_000
SECONDS = 0.05
_STUCK_SECONDS = 0.4
_SHORT_CHARACTERS = 4000
_QUICK_SECONDS = 0.00025  # at 4,000 characters, where a quadratic pattern takes far longer, and most others a third
_MOST_LONG_RUNS = 4
_MOST_ATOMS = 100  # of one pattern; of a list of a hundred words each second or third is taken
_GROWTH = 8  # times the characters of the shorter text; a quadratic pattern takes 64 times as long for them
_NOISE = 4
_MEASURABLE_SECONDS = 0.01
_MOST_OF_A_FUNCTION = 3  # patterns that differ in a word alone
_KNOWN = re.compile(r"(?:(?P<currency>eur|usd|x{3})\s*)?(?<![\d.])(?P<amount>\d+(?:\.\d+)?)")
_KNOWN_TEXT = "ab 7.5 " * 14286
_KNOWN_SECONDS = 0.0094
"""What it takes on two idle cores at 2.3 GHz, for which ``SECONDS`` was set."""
METHODS = ("match", "search", "fullmatch", "finditer", "findall", "split", "sub", "subn")

Text = str | bytes


@dataclass(frozen=True)
class Place:
    """Where the product compiles a pattern."""

    path: str
    line: int


@dataclass
class Found:
    """A pattern, where it is compiled, and the methods by which the product uses it; empty where that is unknown."""

    pattern: re.Pattern[Any]
    places: set[Place] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)


class Stuck(BaseException):
    """A pattern took so long that it was interrupted."""


def modules(root: Path) -> list[str]:
    """Return the names of the product's modules, those that are programs (``__main__``) too."""
    return [
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    ]


def _path_of(name: str, root: Path) -> str:
    path = Path(*name.split("."))
    return str(path / "__init__.py" if (root / path).is_dir() else path.with_suffix(".py"))


def find_patterns(root: Path) -> tuple[list[Found], list[str]]:
    """Import every module and return the patterns, and the places of those that could not be found out.

    Patterns compiled at import are recorded as they are compiled, wherever they are kept.  Patterns of functions are
    read from the source: a constant as it is, an f-string with the module's own constants and a word for the rest.
    """
    found: dict[re.Pattern[Any], Found] = {}
    trees = _import_all(root, found)
    unknown = _read_functions(trees, found, root)
    recorded = {(place.path, place.line) for entry in found.values() for place in entry.places}
    _find_methods(found, trees)
    missing = [f"{place.path}:{place.line}" for place in unknown if (place.path, place.line) not in recorded]
    return sorted(found.values(), key=lambda one: (min(p.path for p in one.places), str(one.pattern.pattern))), missing


def _import_all(root: Path, found: dict[re.Pattern[Any], Found]) -> dict[str, ast.Module]:
    """Import the modules, noting what they compile; return their sources by name."""
    original = re._compile  # type: ignore[attr-defined]
    counts: Counter[Place] = Counter()

    def recorded(pattern: Any, flags: Any) -> Any:
        compiled = original(pattern, flags)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename == re.__file__:
            frame = frame.f_back
        path = Path(frame.f_code.co_filename) if frame is not None else Path()
        if frame is not None and path.is_relative_to(root) and path.relative_to(root).parts[0] in PACKAGES:
            place = Place(str(path.relative_to(root)), frame.f_lineno)
            counts[place] += frame.f_code.co_name not in ("<module>", "_rules", "<genexpr>")
            if counts[place] <= _MOST_OF_A_FUNCTION:
                found.setdefault(compiled, Found(compiled)).places.add(place)
        return compiled

    re._compile = recorded  # type: ignore[attr-defined]
    trees: dict[str, ast.Module] = {}
    for name in modules(root):
        importlib.import_module(name)
        trees[name] = ast.parse((root / _path_of(name, root)).read_text(encoding="utf-8"))
    _exercise()
    re._compile = original  # type: ignore[attr-defined]
    return trees


def _exercise() -> None:
    """Call what builds patterns of other texts when it runs; those are recorded like the rest."""
    product = importlib.import_module
    product("eval.answers.metrics").holds("within 14 days", "4 days")
    product("eval.desk.cases").absence_pattern("(waived|refunded)[^.]{0,30} fee")
    product("eval.desk.judging").holds_phrase("within 14 days", "4 days")
    list(
        product("eval.bench.cache.changes").changed_questions(
            "How do I buy it from the shop?", random.Random(0), ["Latch"]
        )
    )
    product("rag.retrieval.query").Glossary.of([("sign in", "log on")]).alternatives("How do I sign in?")


def _read_functions(trees: dict[str, ast.Module], found: dict[re.Pattern[Any], Found], root: Path) -> list[Place]:
    """Add the patterns that functions hold; return the places of those that only a run can tell."""
    unknown: list[Place] = []
    for name, tree in trees.items():
        for call in _calls_in_functions(tree):
            value = _evaluated(call.args[0], sys.modules.get(name))
            place = Place(_path_of(name, root), call.lineno)
            if value is None:
                unknown.append(place)
            elif not isinstance(value, re.Pattern):
                compiled = re.compile(value, _flags(call))
                entry = found.setdefault(compiled, Found(compiled))
                entry.places.add(place)
                method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
                entry.methods.update([method] if method in METHODS else METHODS)
    return unknown


def _calls_in_functions(tree: ast.Module) -> Iterator[ast.Call]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "re"
                    and node.func.attr in ("compile", *METHODS)
                ):
                    yield node


def _flags(call: ast.Call) -> int:
    given = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "flags"]
    given += [ast.unparse(one) for one in call.args[1:] if "re." in ast.unparse(one)]
    flags = 0
    for one in given:
        flags |= int(eval(one, {"re": re}))
    return flags


class _Word(str):
    """What an unknown part of a pattern stands for."""


def _evaluated(node: ast.expr, module: Any) -> Any:
    """Return the value of a pattern's expression, with a word for each part that only a running function knows."""
    names = dict(vars(module)) if module is not None else {}

    class Fill(ast.NodeTransformer):
        def visit_FormattedValue(self, value: ast.FormattedValue) -> ast.AST:
            try:
                eval(compile(ast.Expression(value.value), "pattern", "eval"), names)
            except (NameError, TypeError, AttributeError, KeyError):
                return ast.copy_location(ast.Constant("na-me"), value)
            return value

    filled = ast.fix_missing_locations(Fill().visit(ast.Expression(node)))
    try:
        return eval(compile(filled, "pattern", "eval"), names)
    except (NameError, TypeError, AttributeError):
        return None


def _find_methods(found: dict[re.Pattern[Any], Found], trees: dict[str, ast.Module]) -> None:
    """Note by which methods the patterns of global names are used; a name used in any other way may be used in all."""
    names: dict[str, set[re.Pattern[Any]]] = {}
    for module in trees:
        for name, value in vars(sys.modules[module]).items() if module in sys.modules else ():
            if isinstance(value, re.Pattern):
                names.setdefault(name, set()).add(value)
    for module, tree in trees.items():
        own = vars(sys.modules[module]) if module in sys.modules else {}
        parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            pattern = own.get(node.id)
            if not isinstance(pattern, re.Pattern) or pattern not in found:
                continue
            parent = parents[node]
            call = parents.get(parent)
            if isinstance(parent, ast.Attribute) and parent.attr in METHODS and isinstance(call, ast.Call):
                at_a_place = parent.attr == "match" and len(call.args) > 1
                found[pattern].methods.add("search" if at_a_place else parent.attr)
            elif not (isinstance(parent, ast.Attribute) and parent.attr in ("pattern", "flags", "groups")):
                found[pattern].methods.update(METHODS)


# Texts ---------------------------------------------------------------------------------------------------------------

_GENERAL = (
    " ", "\t", "\n", "\u3000", "a", "A", "7", "八", "的", ".", ",", "-", "|", "#", ">", "(", "[", "*", "`", "<", ":",
    "'", "_", "a.",
    "a ", "> ", "- ", "1. ", "\n ", " \n", "八 ", "7,", "7.", "a-", "a@", "\r\n", "thanks ", "x" * 40 + " ",
)  # fmt: skip
_CATEGORY = {
    sre.CATEGORY_DIGIT: "7",
    sre.CATEGORY_NOT_DIGIT: "x",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_NOT_SPACE: "x",
    sre.CATEGORY_WORD: "w",
    sre.CATEGORY_NOT_WORD: ";",
}
_ENDS = ("", "\x00", "!")


def _member(items: Any) -> Iterator[str]:
    """Yield characters that a class matches: one of each item."""
    negated = items and items[0][0] is sre.NEGATE
    if negated:
        compiled_items = items[1:]
        for candidate in ("x", " ", "7", "八", "\x01", "(", "[", "-"):
            if not any(_is_in(candidate, item) for item in compiled_items):
                yield candidate
        return
    for kind, value in items:
        if kind is sre.LITERAL:
            yield chr(value)
        elif kind is sre.RANGE:
            yield chr(value[0])
        elif kind is sre.CATEGORY:
            yield _CATEGORY[value]


def _is_in(character: str, item: Any) -> bool:
    kind, value = item
    if kind is sre.LITERAL:
        return ord(character) == value
    if kind is sre.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    if kind is sre.CATEGORY:
        return _fits(character, value)
    return False


def _fits(character: str, category: Any) -> bool:
    test: dict[Any, Callable[[str], bool]] = {
        sre.CATEGORY_DIGIT: str.isdigit,
        sre.CATEGORY_SPACE: str.isspace,
        sre.CATEGORY_WORD: lambda one: one.isalnum() or one == "_",
    }
    for plain, other in (
        (sre.CATEGORY_DIGIT, sre.CATEGORY_NOT_DIGIT),
        (sre.CATEGORY_SPACE, sre.CATEGORY_NOT_SPACE),
        (sre.CATEGORY_WORD, sre.CATEGORY_NOT_WORD),
    ):
        if category is plain:
            return test[plain](character)
        if category is other:
            return not test[plain](character)
    return False


def _sample(tree: Any, groups: dict[int, str]) -> str:
    """Return a short text that a parsed pattern should match, as far as can be known without matching it."""
    return "".join(_sample_of(kind, value, groups) for kind, value in tree)


def _sample_of(kind: Any, value: Any, groups: dict[int, str]) -> str:
    if kind is sre.LITERAL:
        return chr(value)
    if kind is sre.NOT_LITERAL:
        return "x" if value != ord("x") else "y"
    if kind is sre.ANY:
        return "x"
    if kind is sre.IN:
        return next(_member(value), "x")
    if kind is sre.BRANCH:
        return _sample(value[1][0], groups)
    if kind is sre.SUBPATTERN:
        groups[value[0] or 0] = text = _sample(value[3], groups)
        return text
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        low, high, body = value
        return _sample(body, groups) * max(low, 1 if high > 1 else 0)
    if kind is sre.ATOMIC_GROUP:
        return _sample(value, groups)
    if kind is sre.GROUPREF:
        return groups.get(value, "")
    return ""


def _own_atoms(tree: Any, before: str, groups: dict[int, str]) -> Iterator[tuple[str, str]]:
    """Yield (what comes first, what is repeated) for each repetition and each branch of a parsed pattern."""
    for kind, value in tree:
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            _, high, body = value
            if high > 8:
                for atom in _atoms_of(body, groups):
                    yield before[-60:], atom
            yield from _own_atoms(body, before, groups)
        elif kind is sre.BRANCH:
            for branch in value[1]:
                yield from _own_atoms(branch, before, groups)
                sample = _sample(branch, groups)
                if sample:
                    yield "", before[-20:] + sample
        elif kind is sre.SUBPATTERN:
            yield from _own_atoms(value[3], before, groups)
        elif kind is sre.ATOMIC_GROUP:
            yield from _own_atoms(value, before, groups)
        before += _sample_of(kind, value, groups)


def _atoms_of(body: Any, groups: dict[int, str]) -> Iterator[str]:
    if len(body) == 1 and body[0][0] is sre.IN:
        yield from list(_member(body[0][1]))[:6]
    elif len(body) == 1 and body[0][0] is sre.SUBPATTERN:
        yield from _atoms_of(body[0][1][3], groups)
    elif len(body) == 1 and body[0][0] is sre.BRANCH:
        for branch in body[0][1][1]:
            yield _sample(branch, groups)
    else:
        yield _sample(body, groups)


def hostile_texts(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (first, repeated, last): what the pattern begins with, what it repeats, and what it does not want."""
    tree = sre_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE & ~re.DEBUG)
    groups: dict[int, str] = {}
    whole = _sample(tree, groups)
    seen: set[tuple[str, str, str]] = set()
    atoms: list[tuple[str, str]] = [("", atom) for atom in _GENERAL]
    own = list(_own_atoms(tree, "", groups))
    for first, atom in own:
        atoms += [(first, atom), ("", first + atom), ("", atom)]
    atoms += [("", whole[:cut] + blank) for cut in (1, 2, 3, 5, 8) if cut <= len(whole) for blank in (" ", "\n", "x")]
    literals = sorted({character for character in whole if not character.isalnum()})
    atoms += [("", character) for character in literals] + [("", whole), ("", whole[: max(1, len(whole) // 2)])]
    for first, atom in atoms[:: max(1, len(atoms) // _MOST_ATOMS)]:
        for last in _ENDS if atom.isspace() else _ENDS[1:2]:
            one = (first, atom, last)
            if atom and one not in seen:
                seen.add(one)
                yield one


def _text_for(pattern: re.Pattern[Any], parts: tuple[str, str, str], characters: int) -> Text:
    first, atom, last = parts
    text = first + atom * max(1, (characters - len(first) - len(last)) // len(atom)) + last
    return text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text


# Times ---------------------------------------------------------------------------------------------------------------


def run(pattern: re.Pattern[Any], way: str, text: Text) -> float:
    """Return the seconds of processor time of one way of using the pattern; infinite where it was interrupted."""
    signal.setitimer(signal.ITIMER_PROF, _STUCK_SECONDS)
    try:
        started = time.thread_time()  # precise, unlike the process time while a timer of it runs
        if way == "finditer":
            for _ in pattern.finditer(text):
                pass
        else:
            getattr(pattern, way)(text)
        return time.thread_time() - started
    except Stuck:
        return float("inf")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stuck


def measure(entry: Found) -> dict[str, Any]:
    """Run a pattern on all its hostile texts; return the slowest one, and those that break a bar.

    Every text is tried at 4,000 characters; those on which the pattern is not quick there, and the slowest, at the
    whole length: once where that is within both bars, for the least of several times would be, too.
    """
    used = entry.methods or set(METHODS)
    ways = sorted({way if way in ("match", "fullmatch", "search") else "finditer" for way in used})
    tried: list[tuple[float, str, tuple[str, str, str]]] = []
    for parts in hostile_texts(entry.pattern):
        text = _text_for(entry.pattern, parts, _SHORT_CHARACTERS)
        tried += [(run(entry.pattern, way, text), way, parts) for way in ways]
    tried.sort(reverse=True)
    slow = [one for number, one in enumerate(tried) if number < 2 or one[0] > _QUICK_SECONDS]
    worst: tuple[float, str] = (0.0, "")
    broken: list[str] = []
    for _, way, parts in slow[:_MOST_LONG_RUNS]:
        text = _text_for(entry.pattern, parts, CHARACTERS)
        seconds, shorter = run(entry.pattern, way, text), float("inf")
        if seconds > _MEASURABLE_SECONDS:
            shorter = _least(entry.pattern, way, _text_for(entry.pattern, parts, CHARACTERS // _GROWTH))
            if seconds > min(SECONDS, shorter * _GROWTH * _NOISE):
                seconds = _least(entry.pattern, way, text, seconds)
        told = f"{way} on {parts!r:.150}: {seconds:.3f} s at {CHARACTERS} characters"
        worst = max(worst, (seconds, told))
        if seconds > SECONDS and (seconds == float("inf") or _at_usual_speed(entry.pattern, way, text) > SECONDS):
            broken.append(told)
        elif seconds > max(_MEASURABLE_SECONDS, shorter * _GROWTH * _NOISE):
            broken.append(f"{told}, {shorter:.4f} s at an eighth of them")
        if len(broken) == 3:
            break
    return {
        "places": sorted(f"{place.path}:{place.line}" for place in entry.places),
        "pattern": str(entry.pattern.pattern)[:100],
        "texts": len(tried),
        "seconds": worst[0],
        "worst": worst[1],
        "broken": broken,
    }


def _at_usual_speed(pattern: re.Pattern[Any], way: str, text: Text) -> float:
    """Return the least seconds beside a known pattern's, as on a processor that is not slowed down by its neighbours.

    A shared machine runs at half of its speed for seconds at a time; what the known pattern takes just then tells.
    """
    tries = []
    for _ in range(5):
        seconds = run(pattern, way, text)
        slowness = run(_KNOWN, "finditer", _KNOWN_TEXT) / _KNOWN_SECONDS
        tries.append(seconds / max(1.0, slowness))
    return min(tries)


def _least(pattern: re.Pattern[Any], way: str, text: Text, first: float | None = None) -> float:
    """Return the least of three times, for the first one pays for memory; of one where it is far too long."""
    first = run(pattern, way, text) if first is None else first
    if first > 4 * SECONDS or first < _MEASURABLE_SECONDS:
        return first
    return min(first, *(run(pattern, way, text) for _ in range(2)))


_measured: list[Found] = []
"""What the processes measure: they are forked, and have it as it was found."""


def _begin(entries: list[Found]) -> None:
    signal.signal(signal.SIGPROF, _stop)
    _measured[:] = entries


def _measure(number: int) -> dict[str, Any]:
    return measure(_measured[number])


def main(arguments: list[str]) -> None:
    """Write what was found, a line a pattern as the processes measure them, and at last that all were."""
    processes, root, *only = int(arguments[0]), Path(arguments[1]).resolve(), *arguments[2:]
    found, unknown = find_patterns(root)
    not_imported = [name for name in modules(root) if name not in sys.modules]
    _say({"found": len(found), "unknown": unknown, "not_imported": not_imported})
    chosen = [one for one in found if not only or any(part in place.path for part in only for place in one.places)]
    with multiprocessing.get_context("fork").Pool(processes, _begin, (chosen,)) as pool:
        for told in pool.imap_unordered(_measure, range(len(chosen))):
            _say(told)
        pool.close()
        pool.join()
    _say({"done": True, "cpu_seconds": sum(os.times()[:4])})


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
