"""Parses tags of components and shortcodes: one that begins a text with its attributes, those in a line as words.

``<TabItem value="mac" label="macOS">`` (MDX, Vue), ``{{< tab "Windows" >}}`` and ``{{% tab name="Windows" %}}`` (Hugo),
``{% tab title="Windows" %}`` (GitBook).  Pure functions; each looks at a character once.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

_NAMES_CLOSED = re.compile(
    r"</(?P<tag>[A-Z][\w.:-]*+|(?=>))|\{\{[<%]-?[ \t]*+/[ \t]*+(?P<shortcode>[\w./-]++)|\{%-?[ \t]*+end(?P<liquid>\w++)"
)
_TAG_START = re.compile(r"<(?P<closes>/?)(?P<name>[A-Za-z][\w.:-]*+|(?=>))")
_TAG_PART = re.compile(r"\"[^\"]*+\"|'[^']*+'|`[^`]*+`|/>|[{}<>=]|[\w:.@#-]++|\s++|.", re.DOTALL)
_SHORTCODE = re.compile(
    r"\{\{(?P<sign>[<%])-?\s*+(?P<closes>/?)\s*+(?P<name>[A-Za-z_][\w./-]*+)"
    r"(?P<given>(?:\"[^\"{}]*+\"|`[^`{}]*+`|[^{}\"`>%]|[>%](?!\}\}))*+)[>%]\}\}"
)
_LIQUID = re.compile(
    r"\{%-?[ \t]*+(?P<closes>end)?(?P<name>tabs?|hint|stepper|step|content-ref|columns?|details|expandable)\b"
    r"(?P<given>(?:\"[^\"{}]*+\"|[^{}\"%]|%(?!\}))*+)%\}"
)
_GIVEN = re.compile(
    r"(?:(?P<name>[\w-]++)[ \t]*+=[ \t]*+)?(?:\"(?P<one>[^\"]*+)\"|`(?P<other>[^`]*+)`|(?P<bare>[^\s\"`]++))"
)
_INLINE = re.compile(
    r"`[^`\n]*+`|\{\{[<%](?:\"[^\"{}]*+\"|`[^`{}]*+`|[^{}\"`>%]|[>%](?!\}\}))*+[>%]\}\}"
    r"|<[A-Z][\w.]*+\s[^<>/]*+(?:/(?!>)[^<>/]*+)*+/>|\{/\*(?:[^*{]|\*(?!/))*+\*/\}|\{(?:' '|\" \")\}"
    r"|<[a-z]\w*+(?=\s)(?:[^<>{}=]*+(?:=(?!\{)[^<>{}=]*+)*+=\{\{?[^<>{}]*+\}\}?)++[^<>{}]*+>"
    r"|%%(?P<term>[^%|\\\n]++)\\?\|[\w-]++%%"
)
_STRING = re.compile(r"\"(?P<one>[^\"]*+)\"|'(?P<other>[^']*+)'|`(?P<third>[^`]*+)`")
_OBJECT = re.compile(r"\{[^{}]*+\}")
_PROPERTY = re.compile(
    r"\b(?P<name>label|value)[\"']?\s*+:\s*+(?:\"(?P<one>[^\"]*+)\"|'(?P<other>[^']*+)'|`(?P<third>[^`]*+)`)"
)
_ANY_TAG = re.compile(r"</?[A-Za-z][^<>]*+>|</?>|\{[^{}]*+\}")
_NUMBER = re.compile(r"\d[\d.]*+\Z")

_TITLES = ("title", "label", "header", "heading", "summary", "tabtitle", "text", "caption")
_NAMED = re.compile(r"field|file|folder|param|propert|\btab\b|(?<=\.)item", re.IGNORECASE)
"""Parts of the names of components that show what their ``name`` is; to others a name is an icon's or a group's."""
_PLACES = ("name", "path", "query", "body")
_TITLED_BY_PLACE = re.compile(
    r"(?:tab|step|details?|expand|accordion|collapse|card|dropdown|heading|spoiler)\Z", re.IGNORECASE
)
_TAB = re.compile(r"(?:\w*\.)?\w*tab(?:-?item|-?panel|s\.tab)?\Z", re.IGNORECASE)

_NO_TITLES = ("", "true", "false")
_SHOWN_INLINE = ("text", "label", "title")

TabLabels = tuple[dict[str, str], tuple[str, ...]]
"""Labels of tabs, by their values and by their places."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A tag or a shortcode; the text goes on at ``end``.

    ``attributes`` have lower-case names, and values without quotation marks and braces; ``given`` are a shortcode's
    arguments without a name.  ``is_empty`` tells that it closes itself.
    """

    name: str
    end: int
    syntax: Literal["<", "{{<", "{{%", "{%"] = "<"
    closes: bool = False
    is_empty: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()

    @property
    def is_placeholder(self) -> bool:
        """Whether it may be a placeholder for the reader to replace, as in ``ping <Server>``."""
        return self.syntax == "<" and bool(self.name) and not (self.closes or self.is_empty or self.attributes)

    @property
    def is_tab(self) -> bool:
        """Whether its group may give its label."""
        return _TAB.match(self.name) is not None

    @property
    def is_code(self) -> bool:
        """Whether its content is code: of Hugo's tabs in the Kubernetes documentation one says so."""
        return "codelang" in self.attributes

    @property
    def is_for_machines(self) -> bool:
        """Whether no person sees its content: Mintlify shows ``<Visibility for="agents">`` to programs alone."""
        return self.name == "Visibility" and self.attributes.get("for") == "agents"

    @property
    def opening(self) -> str:
        """How such a mark begins."""
        return {"<": "<", "{%": "{% "}.get(self.syntax, f"{self.syntax} ") + self.name

    @property
    def closing(self) -> str:
        """How the mark that closes it begins."""
        return {"<": "</", "{%": "{% end"}.get(self.syntax, f"{self.syntax} /") + self.name

    @property
    def end_sign(self) -> str:
        """How such a mark ends."""
        return {"<": ">", "{{<": ">}}", "{{%": "%}}", "{%": "%}"}[self.syntax]

    @property
    def title(self) -> str:
        """The title shown above its content; with a parameter's type."""
        given = (self.attributes.get(name, "") for name in _TITLES)
        found = next((value for value in given if value not in _NO_TITLES), "")
        if not found and _NAMED.search(self.name):
            found = next((self.attributes[name] for name in _PLACES if self.attributes.get(name)), "")
            about = [self.attributes.get("type", ""), "required" if "required" in self.attributes else ""]
            more = ", ".join(word for word in about if word)
            found = f"{found} ({more})" if found and more else found
        if not found and self.given and _TITLED_BY_PLACE.match(self.name):
            found = self.given[0]
        return " ".join(found.split())

    @property
    def description(self) -> str:
        """The text shown below the title of a mark without content."""
        return " ".join(self.attributes.get("description", "").split())

    @property
    def value(self) -> str:
        """The value that identifies a tab in its group."""
        return self.attributes.get("value", "")

    @property
    def tab_labels(self) -> TabLabels | None:
        """The labels that a group gives its tabs; None without such."""
        written = self.attributes.get("values") or self.attributes.get("items") or ""
        objects = [dict(_properties(match[0])) for match in _OBJECT.finditer(written)]
        if objects:
            labels = {one["value"]: one.get("label") or one["value"] for one in objects if "value" in one}
            return labels, tuple(one.get("label") or one.get("value", "") for one in objects)
        places = tuple(_first_group(match) for match in _STRING.finditer(written))
        return ({}, places) if places else None


def closed_names(text: str) -> frozenset[str]:
    """Return the names of all components and shortcodes of which a text has a closing mark."""
    return frozenset(
        match["tag"] or match["shortcode"] or match["liquid"] or "" for match in _NAMES_CLOSED.finditer(text)
    )


def read_mark(text: str) -> Mark | None:
    """Return the mark that a text begins with; None where it begins with none, or with one that does not end.

    >>> read_mark('<TabItem value="mac" label={"macOS"}>').title, read_mark('{{< /tab >}}').closes
    ('macOS', True)
    """
    if text.startswith("<"):
        return _read_tag(text)
    match = _SHORTCODE.match(text) or _LIQUID.match(text)
    if match is None:
        return None
    given = match["given"].strip()
    is_empty = given.endswith("/")
    attributes: dict[str, str] = {}
    arguments: list[str] = []
    for one in _GIVEN.finditer(given.removesuffix("/")):
        value = one["one"] if one["one"] is not None else one["other"] if one["other"] is not None else one["bare"]
        if one["name"]:
            attributes[one["name"].lower()] = value
        else:
            arguments.append(value)
    syntax: Literal["{{<", "{{%", "{%"] = (
        "{%" if "sign" not in match.re.groupindex else "{{<" if match["sign"] == "<" else "{{%"
    )
    return Mark(match["name"], match.end(), syntax, bool(match["closes"]), is_empty, attributes, tuple(arguments))


def without_inline_marks(line: str) -> str:
    """Return a line with the words that its shortcodes and empty components show; inline code stays as it is.

    >>> without_inline_marks('A {{< glossary_tooltip text="Pod" term_id="pod" >}} runs {{< param "x" >}}`{{< y >}}`.')
    'A Pod runs `{{< y >}}`.'
    """
    return _INLINE.sub(_inline_words, line)


def _inline_words(match: re.Match[str]) -> str:
    written = match[0]
    if written.startswith("`"):
        return written
    if match["term"]:  # a term of a Docusaurus glossary: %%parity disk|parity-disk%%
        return match["term"]
    if written.startswith("{/") or written[1].islower():
        return ""
    if len(written) == len("{' '}"):
        return " "
    mark = read_mark(written)
    if mark is None or mark.closes:
        return written if mark is None else ""
    words = next((mark.attributes[name] for name in _SHOWN_INLINE if mark.attributes.get(name)), "")
    if not words and mark.attributes.get("term_id"):
        words = mark.attributes["term_id"].replace("-", " ")
    return words or (mark.given[0] if mark.name == "heading" and mark.given else "")


def _read_tag(text: str) -> Mark | None:
    start = _TAG_START.match(text)
    if start is None:
        return None
    attributes = _Attributes(text)
    for part in _TAG_PART.finditer(text, start.end()):
        sign = part[0]
        if not attributes.braces and sign in (">", "/>"):
            return Mark(start["name"], part.end(), "<", bool(start["closes"]), sign == "/>", attributes.read)
        if not attributes.braces and sign == "<":
            return None
        attributes.take(part)
    return None


class _Attributes:
    """Takes the parts of a tag one by one; a value in braces goes on to the brace that closes it."""

    def __init__(self, text: str) -> None:
        self.read: dict[str, str] = {}
        self.braces = 0
        self._text = text
        self._name = ""
        self._wants_value = False
        self._opened = 0

    def take(self, part: re.Match[str]) -> None:
        """Take the next part."""
        sign = part[0]
        if self.braces or sign == "{":
            self._brace(part)
        elif sign == "=":
            self._wants_value = bool(self._name)
        elif self._wants_value and not sign.isspace():
            self._value(sign[1:-1] if sign[0] in "\"'`" and len(sign) > 1 else sign)
        elif sign[0].isalnum() or sign[0] in "_@:#":
            self._name = sign.lstrip(":@#").lower()
            self.read.setdefault(self._name, "")

    def _brace(self, part: re.Match[str]) -> None:
        if not self.braces:
            self._opened = part.end()
        self.braces += {"{": 1, "}": -1}.get(part[0], 0)
        if not self.braces and self._wants_value:
            self._value(_literal(self._text[self._opened : part.start()]))

    def _value(self, value: str) -> None:
        self.read[self._name] = value
        self._wants_value = False


def _literal(code: str) -> str:
    """Return the words shown by an expression in braces: a string, a number, or the text between tags."""
    code = code.strip()
    string = _STRING.fullmatch(code)
    if string is not None:
        return _first_group(string)
    if code.startswith("<"):
        return _ANY_TAG.sub("", code).strip()
    return code if code.startswith("[") or _NUMBER.match(code) else ""


def _properties(written: str) -> list[tuple[str, str]]:
    return [(match["name"], _first_group(match)) for match in _PROPERTY.finditer(written)]


def _first_group(match: re.Match[str]) -> str:
    return next((match[name] for name in ("one", "other", "third") if match[name] is not None), "")
