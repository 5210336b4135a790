"""Nothing that somebody named is drawn: what the pages hand to Streamlit as Markdown is ours, or was made plain.

The code is walked: each expression that Streamlit reads as Markdown must be made of the page's own words, of numbers,
and of what ``as_markdown`` or ``plain_rows`` returned.  Local names and the pages' own functions are followed.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

UI = Path(__file__).parents[2] / "ui"

_BODY_FIRST = frozenset(
    (
        "markdown",
        "caption",
        "header",
        "subheader",
        "title",
        "info",
        "warning",
        "error",
        "success",
        "toast",
        "badge",
        "html",
    )
)
_LABEL_FIRST = frozenset(
    (
        "button", "download_button", "form_submit_button", "link_button", "pills", "radio", "selectbox", "multiselect",
        "checkbox", "toggle", "segmented_control", "select_slider", "slider", "text_input", "text_area", "number_input",
        "date_input", "time_input", "file_uploader", "expander", "popover", "status", "spinner", "dialog", "tabs",
    )
)  # fmt: skip
_DATA_FIRST = {"table"}
_OPTIONS_ARE_MARKDOWN = {"pills", "radio", "segmented_control"}
_KEYWORDS = {"help", "text", "label", "body", "captions", "caption", "delta"}
_MAKES_PLAIN = {"as_markdown", "markdown_word", "plain_rows", "html_link"}
_OWN_WORDS = {"translate", "asset"}
_KEEPS = {"join", "strip", "replace", "capitalize", "str", "list", "tuple", "sorted", "next"}
_NUMBERS = {
    "len",
    "round",
    "int",
    "float",
    "sum",
    "min",
    "max",
    "abs",
    "format_duration",
    "format_elapsed",
    "format_clock",
    "clock",
    "format_date",
    "format_age",
}
_PLAIN_TYPES = {"int", "float", "bool", "Language", "Role", "None", "date", "datetime"}
_LOGS = {"_LOG", "logger", "logging", "_log"}


@dataclass(frozen=True)
class Place:
    """An expression that is not known to be plain."""

    file: str
    line: int
    source: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.source}"


@cache
def _modules() -> dict[str, ast.Module]:
    return {str(path.relative_to(UI)): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(UI.rglob("*.py"))}


@cache
def _functions() -> dict[str, list[ast.FunctionDef]]:
    found: dict[str, list[ast.FunctionDef]] = {}
    for tree in _modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(node)
    return found


class _Scope:
    """Where an expression stands: the functions around it, innermost last, and the module's own names."""

    def __init__(
        self, around: list[ast.FunctionDef | ast.Lambda], module: ast.Module, busy: frozenset[str] = frozenset()
    ) -> None:
        self.around, self.module, self.busy = around, module, busy

    def is_plain(self, node: ast.expr) -> bool:  # noqa: C901 a case for each kind of expression
        match node:
            case ast.Constant():
                return True
            case ast.JoinedStr():
                return all(self.is_plain(part) for part in node.values)
            case ast.FormattedValue():
                return self.is_plain(node.value) or _is_a_numbers_format(node.format_spec)
            case ast.IfExp():
                return self.is_plain(node.body) and self.is_plain(node.orelse)
            case ast.BoolOp():
                return all(self.is_plain(part) for part in node.values)
            case ast.BinOp():
                return self.is_plain(node.left) and self.is_plain(node.right)
            case ast.List() | ast.Tuple():
                return all(self.is_plain(part) for part in node.elts)
            case ast.Starred():
                return self.is_plain(node.value)
            case ast.ListComp() | ast.GeneratorExp():
                return self.is_plain(node.elt)
            case ast.Compare() | ast.UnaryOp():
                return True
            case ast.Subscript(value=ast.Dict(values=values)):
                return all(self.is_plain(value) for value in values)
            case ast.Call():
                return self._call_is_plain(node)
            case ast.Name():
                return self._name_is_plain(node.id)
            case ast.Lambda():
                return _Scope([*self.around, node], self.module, self.busy).is_plain(node.body)
            case _:
                return False

    def _call_is_plain(self, node: ast.Call) -> bool:
        name = _name_of(node.func)
        if name in _MAKES_PLAIN or name in _NUMBERS:
            return True
        if name in _OWN_WORDS:
            return all(keyword.arg is not None and self.is_plain(keyword.value) for keyword in node.keywords)
        if name in _KEEPS:
            own = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            return all(self.is_plain(part) for part in (*own, *node.args))
        if name in self.busy or name not in _functions():
            return False
        return all(_returns_plain(one, self.busy | {name}) for one in _functions()[name])

    def _name_is_plain(self, name: str) -> bool:
        for function in reversed(self.around):
            arguments = {one.arg: one.annotation for one in _arguments(function)}
            if name in arguments:
                annotation = arguments[name]
                return annotation is not None and ast.unparse(annotation) in _PLAIN_TYPES
            if isinstance(function, ast.FunctionDef):
                given = list(_given(function, name))
                if given:
                    return all(value is not None and self.is_plain(value) for value in given)
        given = [value for value in _given(self.module, name)]
        if given:
            return all(value is not None and self.is_plain(value) for value in given)
        return name.isupper() or self._function_is_plain(name)

    def _function_is_plain(self, name: str) -> bool:
        if name in self.busy or name not in _functions():
            return False
        return all(_returns_plain(one, self.busy | {name}) for one in _functions()[name])


def _returns_plain(function: ast.FunctionDef, busy: frozenset[str]) -> bool:
    if function.returns is not None and ast.unparse(function.returns) in _PLAIN_TYPES:
        return True
    module = next(tree for tree in _modules().values() if function in list(ast.walk(tree)))
    scope = _Scope([function], module, busy)
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return bool(returned) and all(value is None or scope.is_plain(value) for value in returned)


def _arguments(function: ast.FunctionDef | ast.Lambda) -> list[ast.arg]:
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def _given(root: ast.AST, name: str) -> Iterator[ast.expr | None]:
    """Yield what is assigned to a name; None where that is not seen."""
    body = root.body if isinstance(root, ast.Module) else [root]
    for node in (
        inner
        for statement in body
        for inner in (ast.walk(statement) if not isinstance(root, ast.Module) else [statement])
    ):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _of_target(target, node.value, name)
        elif (
            isinstance(node, (ast.AnnAssign, ast.AugAssign))
            and isinstance(node.target, ast.Name)
            and node.target.id == name
        ):
            yield node.value
        elif isinstance(node, (ast.For, ast.comprehension)):
            names = [one.id for one in ast.walk(node.target) if isinstance(one, ast.Name)]
            if name in names:
                yield node.iter if isinstance(node.target, ast.Name) else None


def _of_target(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr | None]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, part in zip(target.elts, value.elts, strict=True):
            yield from _of_target(one, part, name)
    elif isinstance(target, ast.Tuple) and any(isinstance(one, ast.Name) and one.id == name for one in target.elts):
        yield value  # a function's several values: all of them must be plain


def _is_a_numbers_format(spec: ast.expr | None) -> bool:
    """Tell a format that text refuses: ``:,``, ``:.1f``, ``:.0%``, ``:02d``."""
    written = ast.unparse(spec)[2:-1] if spec is not None else ""
    return bool(written) and written[-1] in ",dfeg%"


def _name_of(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _markdown_of(call: ast.Call) -> Iterator[ast.expr]:
    """Yield the arguments of a Streamlit call that it reads as Markdown."""
    name = _name_of(call.func)
    if name in _BODY_FIRST | _LABEL_FIRST | _DATA_FIRST:
        yield from call.args[:1]
    elif name == "metric":
        yield from call.args[:3]
    for keyword in call.keywords:
        if keyword.arg in _KEYWORDS and (name in _BODY_FIRST | _LABEL_FIRST or name in ("metric", "progress")):
            yield keyword.value
    if name in _OPTIONS_ARE_MARKDOWN:
        formats = [keyword.value for keyword in call.keywords if keyword.arg == "format_func"]
        yield from formats or call.args[1:2]


def _calls(
    node: ast.AST, around: list[ast.FunctionDef | ast.Lambda]
) -> Iterator[tuple[ast.Call, list[ast.FunctionDef | ast.Lambda]]]:
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and _name_of(child.func.value) not in _LOGS
        ):
            yield child, around
        inside = [*around, child] if isinstance(child, (ast.FunctionDef, ast.Lambda)) else around
        yield from _calls(child, inside)


def _not_plain(modules: dict[str, ast.Module]) -> list[str]:
    found = []
    for file, tree in modules.items():
        if not any(isinstance(node, ast.Import) and node.names[0].name == "streamlit" for node in ast.walk(tree)):
            continue
        for call, around in _calls(tree, []):
            scope = _Scope(around, tree)
            found += [
                str(Place(file, one.lineno, ast.unparse(one))) for one in _markdown_of(call) if not scope.is_plain(one)
            ]
    return found


@pytest.mark.slow
def test_the_pages_hand_streamlit_nothing_foreign_as_markdown() -> None:
    assert _not_plain(_modules()) == []


@pytest.mark.slow
def test_no_page_lets_html_through_or_writes_whatever_it_is_given() -> None:
    calls = [ast.unparse(call) for tree in _modules().values() for call, _ in _calls(tree, [])]
    assert [one for one in calls if "unsafe_allow_html" in one or one.startswith("st.write(")] == []


@pytest.mark.parametrize(
    "body",
    [
        "st.markdown(title)",
        "st.error(f'{title} is gone')",
        "st.caption(translate('ui.page', 'en', title=title))",
        "st.caption(translate('ui.page', 'en', **titles))",
        "name = passage.title\n    st.header(name)",
        "st.pills('Sources', passages, format_func=lambda one: f'{one.number} {one.title}')",
        "st.radio('Sources', titles)",
        "st.segmented_control('Sources', titles)",
        "st.text_input('Name', help=title)",
        "st.button(title)",
        "st.tabs([one.title for one in passages])",
        "st.expander('Passage ' + title)",
        "column.metric('Share', title)",
        "st.progress(0.5, text=title)",
        "st.table([{'Title': title}])",
        "st.toast(' · '.join(titles))",
        "for one in titles:\n        st.badge(one)",
        "for one, tone in titles:\n        st.badge(one)",
        "st.html(f'<b>{title}</b>')",
        "st.info(heading(title))",
    ],
)
def test_a_foreign_word_is_seen(body: str) -> None:
    tree = ast.parse(f"import streamlit as st\ndef draw(passage, title: str, titles, passages, column):\n    {body}\n")
    assert len(_not_plain({"page.py": tree})) == 1


@pytest.mark.parametrize(
    "body",
    [
        "st.markdown(as_markdown(title))",
        "st.caption(translate('ui.page', 'en', title=as_markdown(title), count=f'{count:,}'))",
        "st.caption(markdown_word('ui.page', 'en', title=title))",
        "st.pills('Sources', passages, format_func=lambda one: as_markdown(one.title))",
        "st.selectbox('Sources', titles)",
        "st.text(title)",
        "st.table(plain_rows(rows))",
        "for one in ('a', 'b'):\n        st.badge(one)",
        "_LOG.error(title)",
    ],
)
def test_own_words_numbers_and_what_was_made_plain_may_pass(body: str) -> None:
    tree = ast.parse(f"import streamlit as st\ndef draw(title: str, titles, passages, rows, count):\n    {body}\n")
    assert _not_plain({"page.py": tree}) == []
