"""Turns the Markdown of documentation generators into plain Markdown: what a reader of the site sees.

Docusaurus, VitePress, MkDocs Material, Mintlify, Nextra, Starlight, Hugo, GitBook and GitHub each add to Markdown:
``:::note``, ``!!! note``, ``=== "Windows"``, ``<TabItem label="macOS">``, ``{{< tab "Windows" >}}``, ``> [!NOTE]``.
CommonMark takes these for words, HTML, or code.  Here they are removed, and their content is read as Markdown again.

A tab, a step or a collapsible says to whom its content applies.  It becomes a list item, ``- macOS:``, with its content
indented below: such an item restricts its own content and nothing after it (``rag/text/parsed.py``).  A box's title
becomes a paragraph, ``Limitations:``, unless it only repeats the box's kind.

Own code, for no library reads them all: mdit-py-plugins knows colon blocks, ``!!!`` boxes and GitHub's alerts, each as
a plug-in that needs every kind by name, and knows no ``===`` tabs, components or shortcodes; pymdown-extensions belong
to Python-Markdown, which is another parser; MDX and Hugo have none in Python.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.loaders.plain_markup import with_colon
from ingest.loaders.site_tags import Mark, TabLabels, closed_names, read_mark, without_inline_marks

_DEEPEST = 16
"""Blocks in blocks; deeper ones lose their marks and keep their place, so that a page takes linear time."""

_MOST_TAG_LINES = 100
_MOST_CODE_LINES = 100
_MOST_FENCE_INDENT = 3
"""Blanks by which a closing fence may be further in than the opening one (CommonMark 0.31, 4.5)."""

_MARKS = re.compile(
    r"^[ \t>]*+(?::::|///|!!!|\?\?\?|===[+!]?[ \t]|\[!|import\b|export\b|<<<|\[\[?_?toc|--8<--|---8<---)"
    r"|\{\{[<%]|=\{|\{/\*|\{% (?:end)?(?:tabs?|hint|stepper|step|content-ref|columns?|details|expandable) "
    r"|</?(?-i:[A-Z>])|%%[^%|\n]++\|",
    re.MULTILINE | re.IGNORECASE,
)
_LIST_MARK = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]++")
_FENCE = re.compile(r"(?P<signs>`{3,}+(?=[^`]*+\Z)|~{3,}+)(?P<info>.*)")
_OPAQUE = re.compile(r"<(?:(?P<comment>!--)|(?P<name>pre|script|style|textarea)\b)", re.IGNORECASE)
_HEADING = re.compile(r"(?P<signs>#{1,6})[ \t]++(?P<words>\S.*)")
_HEADING_END = re.compile(r"(?:(?<=\s)#++[ \t]*+|\{#[\w-]++\}[ \t]*+)\Z")

_COLONS = re.compile(r"(?P<colons>:{3,}+|/{3,}+)[ \t]*+(?P<given>.*)")
_SLASH_BLOCK = re.compile(r"(?P<kind>[a-z][\w-]*+)[ \t]*+(?:\|[ \t]*+(?P<title>.*))?\Z")
_COLON_BLOCK = re.compile(
    r"(?:\{(?P<named>[A-Za-z][\w-]*+)\}|(?P<kind>[A-Za-z][\w.-]*+)(?:#[\w-]*+)?)"
    r"(?P<label>\[(?:[^\[\]]|\[[^\[\]]*+\])*+\])?(?:\{[^{}]*+\})?"
    r"(?=[ \t]|\Z)[ \t]*+(?P<title>.*)|\{[^{}]*+\}[ \t]*+\Z"
)
_ATTRIBUTES_BEHIND = re.compile(r"[ \t]\{[^{}]*+\}[ \t]*+\Z|[ \t]:++\Z")
_TAB_LINE = re.compile(r"@tab(?::\w++)?[ \t]++(?P<title>\S.*)")
_BOX = re.compile(
    r"(?:!!!|(?P<folds>\?\?\?)\+?)[ \t]*+(?P<kind>[\w-]++(?:[ \t]++[\w-]++)*+)?[ \t]*+(?:\"(?P<title>.*)\")?[ \t]*+\Z"
)
_INDENTED_TAB = re.compile(r"===[+!]{0,2}[ \t]++\"(?P<title>.*)\"[ \t]*+\Z")
_ALERT = re.compile(r"\[!(?P<kind>[A-Za-z][\w-]*+)(?:\|[^\]]*+)?\][+-]?[ \t]*+(?P<title>.*)")
_NOT_SHOWN = re.compile(r"(?:<<<[ \t]*@|-{2,3}8<-{2,3}|\[\[_?toc_?\]\][ \t]*+\Z|\[toc\][ \t]*+\Z)", re.IGNORECASE)

_IMPORT = re.compile(
    r"(?:import[ \t]++(?:(?!from\b)[\w${},*]++[ \t]++)*+(?:from[ \t]*+)?(?:\"[^\"\n]++\"|'[^'\n]++')[ \t]*+"
    r";?[ \t]*+)++\Z"
)
_IMPORT_START = re.compile(r"import[ \t]++(?:\w++,[ \t]*+)?\{[^{}'\"]*+\Z")
_EXPORT = re.compile(
    r"export[ \t]++(?:(?:const|let|var)[ \t]++[\w$]++[ \t]*+[=:]|(?:async[ \t]++)?function\b[ \t*]*+[\w$]*+[ \t]*+\("
    r"|default[ \t]++(?:(?:async[ \t]++)?function\b|class\b|\(|\{|[A-Z]\w*+;?[ \t]*+\Z|\w++[ \t]*+\()"
    r"|class[ \t]++[A-Z]|\{[^{}]*+\}|\*[ \t]++from\b)"
)
_BRACKETS = re.compile(r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|[\[\](){}]")

_ITEMS = re.compile(
    r"tab|step|accordion|card|detail|collaps|expand|update|panel|item|option|field|toggle|fold|spoiler|question|faq|dropdown",
    re.IGNORECASE,
)  # parts of the names of what shows a part of its page to some readers only, or below a title of its own
_STEPS = re.compile(r"steps|stepper", re.IGNORECASE)
_CODE_GROUP = re.compile(r"code-?(?:group|tabs?)", re.IGNORECASE)
_TAB_LABEL = re.compile(r"\[(?P<label>[^\[\]]++)\]")
_CODE_TITLE = re.compile(r"title=(?:\"(?P<one>[^\"]++)\"|'(?P<other>[^']++)')")
_CODE_OPTION = re.compile(
    r"\{[^{}]*+\}|(?<![\w-])[\w-]++=(?:\{[^{}]*+\}|\"[^\"]*+\"|'[^']*+'|\S++)|\b(?:lines|wrap|expandable)\b"
)
_PLAIN_CODE = ("highlight", "code", "code-toggle", "codeblock")
_KINDS = frozenset({
    "abstract", "admonition", "alert", "attention", "bug", "caution", "caveat", "check", "danger",
    "details", "error", "example", "fail", "failure", "faq", "hint", "important", "info", "information",
    "note", "notes", "question", "quote", "seealso", "success", "summary", "tip", "tips", "todo",
    "warning", "notice", "注意", "注", "备注", "備註", "提示", "说明", "說明", "信息", "资讯", "警告", "危险", "危險",
    "重要", "小贴士", "技巧", "示例", "注意事项",
})  # fmt: skip
_SAID_END = " \t\u3000:：.。？"
_SENTENCE_END = re.compile(r"[.!?。！？…]\Z")


def plain_markdown(body: str) -> str:
    r"""Return Markdown that CommonMark reads as the site shows it; a page without a generator's marks as it is.

    Nothing in fenced code, comments, ``<pre>`` or indented code changes, but the indentation of code whose block moved.

    >>> print(plain_markdown(":::info Limits\nTen a day.\n:::").strip())
    Limits:
    <BLANKLINE>
    Ten a day.
    """
    if _MARKS.search(body) is None:
        return body
    return "\n".join(_plain_lines(body.split("\n"), closed_names(body), 0))


@dataclass(eq=False, slots=True)
class _Block:
    """A block of a page, or the page.  ``parts`` are its lines, as they were written, and the blocks in it.

    ``indent`` are the columns before its mark, ``content_indent`` those before its content, None for those of its first
    line.  ``level`` is a heading's, or the colons of a colon block; ``number`` a step's; ``labels`` what a group calls
    its tabs; ``count`` how many of its steps or tabs were met.
    """

    kind: str
    name: str = ""
    indent: int = 0
    content_indent: int | None = 0
    title: str = ""
    is_item: bool = False
    ends_with_parent: bool = False
    level: int = 0
    number: int = 0
    mark: Mark | None = None
    labels: TabLabels | None = None
    count: int = 0
    is_code: bool = False
    parts: "list[str | _Block]" = field(default_factory=list)

    @property
    def is_code_group(self) -> bool:
        return _CODE_GROUP.fullmatch(self.name) is not None


@dataclass(frozen=True, slots=True)
class _Fence:
    """Open fenced code; a line of fewer columns than ``column`` ends it with the list item that it stands in."""

    signs: str
    indent: int
    column: int


def _plain_lines(lines: Sequence[str], paired: frozenset[str], depth: int) -> list[str]:
    reader = _Reader(lines, paired, depth)
    return list(_render(reader.page()))


class _Reader:
    """Reads lines into blocks, each once; only a quotation's lines are read again, without their marks."""

    def __init__(self, lines: Sequence[str], paired: frozenset[str], depth: int) -> None:
        self._lines = lines
        self._paired = paired
        self._depth = depth
        self._at = 0
        self._stack = [_Block("page")]
        self._fence: _Fence | None = None
        self._opaque = ""
        self._columns: list[int] = []
        self._is_after_blank = True
        self._is_code = False
        self._unfinished_until = 0
        self._program_end = -1

    def page(self) -> _Block:
        """Return the page as a block."""
        while self._at < len(self._lines):
            line = self._lines[self._at].rstrip("\r")
            self._at += 1
            if not line.strip():
                self._add(line)
                self._is_after_blank = True
                continue
            self._read(line)
            self._is_after_blank = False
        self._close(self._stack[0])
        return self._stack[0]

    def _read(self, line: str) -> None:
        indent = _columns_before(line)
        if self._is_in_code(line, indent):
            return
        self._leave_indented(indent)
        words = self._words_behind_marks(line, indent)
        if self._is_indented_code(indent):
            self._add(line)
        elif words.startswith(">") and words == line.strip():
            self._quotation(line, indent)
        elif (fence := _FENCE.match(words)) is not None:
            self._open_fence(line, indent, fence)
        elif (opaque := _OPAQUE.match(words)) is not None:
            self._open_opaque(line, words, opaque)
        elif words != line.strip() or not self._block(words, indent):
            self._text(line)

    # Code -------------------------------------------------------------------------------------------------------------

    def _is_in_code(self, line: str, indent: int) -> bool:
        if self._opaque:
            self._add(line)
            self._opaque = "" if self._opaque in line.lower() else self._opaque
            return True
        if self._fence is None or indent < self._fence.column:
            self._end_fence()
            return False
        self._add(line)
        signs = line.strip()
        is_near = indent <= self._fence.indent + _MOST_FENCE_INDENT
        if is_near and signs.startswith(self._fence.signs) and not signs.strip(signs[0]):
            self._end_fence()
        return True

    def _open_fence(self, line: str, indent: int, fence: re.Match[str]) -> None:
        group = self._stack[-1]
        label = _code_label(fence["info"]) if group.is_code_group else ""
        if label:
            self._open(_Block("code", indent=indent, content_indent=None, title=label, is_item=True))
        self._add(line)
        column = self._columns[-1] if self._columns else 0
        within = max((one.indent + 4 for one in self._stack if one.kind == "indented"), default=0)
        self._fence = _Fence(fence["signs"], indent, max(column, within))

    def _end_fence(self) -> None:
        self._fence = None
        if self._stack[-1].kind == "code":
            self._close(self._stack[-1])

    def _open_opaque(self, line: str, words: str, opaque: re.Match[str]) -> None:
        end = "-->" if opaque["comment"] else f"</{opaque['name'].lower()}"
        self._opaque = "" if end in words[opaque.end() :].lower() else end
        self._add(line)

    def _is_indented_code(self, indent: int) -> bool:
        """Tell whether CommonMark reads a line as code; MDX has no indented code."""
        base = self._columns[-1] if self._columns else 0
        base = max(base, *(one.indent + 4 if one.kind == "indented" else 0 for one in self._stack))
        is_in_component = any(one.kind in ("tag", "code") for one in self._stack)
        is_deep = indent >= base + 4 and not is_in_component
        self._is_code = is_deep and (self._is_after_blank or self._is_code)
        return self._is_code

    def _words_behind_marks(self, line: str, indent: int) -> str:
        """Return a line's words after its list marks, and note the columns at which the content of items begins."""
        while self._columns and self._columns[-1] > indent:
            self._columns.pop()
        words = line.strip()
        column = indent
        for _ in range(_DEEPEST):
            mark = _LIST_MARK.match(words)
            if mark is None:
                break
            column += len(mark[0].expandtabs(4))
            self._columns.append(column)
            words = words[mark.end() :]
        return words

    # Blocks -----------------------------------------------------------------------------------------------------------

    def _block(self, words: str, indent: int) -> bool:
        """Read a line that opens or closes a block; False for a line of text."""
        if _NOT_SHOWN.match(words) is not None:
            return True
        if words.startswith((":::", "///")):
            return self._colons(words, indent)
        if words.startswith(("!!!", "???", "===")):
            return self._indented(words, indent)
        if words.startswith(("<", "{")):
            return self._marks(words, indent)
        if words.startswith("#"):
            return self._section(words, indent)
        if words.startswith("@tab"):
            return self._tab_line(words, indent)
        if words.startswith(("import", "export")):
            return self._program(words)
        return False

    def _colons(self, words: str, indent: int) -> bool:
        match = _COLONS.match(words)
        assert match is not None
        colons, given = match["colons"], match["given"].strip()
        kind = "colon" if colons.startswith(":") else "slash"
        if not given:
            return self._close_first(
                one for one in reversed(self._stack) if one.kind == kind and one.level <= len(colons)
            )
        if kind == "slash":
            return self._slashes(given, indent, len(colons))
        block = _COLON_BLOCK.match(given)
        if block is None:
            return False
        name = block["named"] or block["kind"] or ""
        if "." in name:  # mkdocstrings: the documentation of what a program calls so
            self._add(f"{' ' * indent}{given}")
            return True
        title = (block["label"] or "")[1:-1] or _ATTRIBUTES_BEHIND.sub("", f" {block['title'] or ''}").strip()
        if name in ("raw", "v-pre"):
            title = ""
        is_item = _ITEMS.search(name) is not None
        self._open(_Block("colon", name, indent, indent, _own_title(title, name), is_item, level=len(colons)))
        return True

    def _slashes(self, given: str, indent: int, level: int) -> bool:
        """Read a block of MkDocs: ``/// note | Title``."""
        block = _SLASH_BLOCK.match(given)
        if block is None:
            return False
        name, title = block["kind"], (block["title"] or "").strip()
        is_item = _ITEMS.search(name) is not None
        self._open(_Block("slash", name, indent, indent, _own_title(title, name), is_item, level=level))
        return True

    def _tab_line(self, words: str, indent: int) -> bool:
        match = _TAB_LINE.match(words)
        group = next((one for one in reversed(self._stack) if one.kind == "colon"), None)
        if match is None or group is None:
            return False
        self._close_above(group)
        self._open(_Block("line", "tab", indent, indent, match["title"].strip(), True, ends_with_parent=True))
        return True

    def _indented(self, words: str, indent: int) -> bool:
        """Read MkDocs' boxes and tabs: their content is indented by four more."""
        box, tab = _BOX.match(words), _INDENTED_TAB.match(words)
        if tab is None and (box is None or not self._is_followed_by_content(indent)):
            return False
        if tab is not None:
            block = _Block("indented", "tab", indent, indent + 4, _unescaped(tab["title"]), True, True)
        else:
            assert box is not None
            title = _own_title(_unescaped(box["title"] or ""), box["kind"] or "")
            block = _Block("indented", "box", indent, indent + 4, title, box["folds"] is not None, True)
        self._open(block)
        return True

    def _is_followed_by_content(self, indent: int) -> bool:
        following = next((line for line in self._lines[self._at : self._at + _MOST_TAG_LINES] if line.strip()), "")
        return _columns_before(following) >= indent + 4

    def _leave_indented(self, indent: int) -> None:
        self._close_first(one for one in self._stack if one.kind == "indented" and indent < one.indent + 4)

    def _section(self, words: str, indent: int) -> bool:
        """Read a heading in a tab: it ends with the tab, so it is an item there; elsewhere it is a heading."""
        heading = _HEADING.match(words)
        items = [number for number, one in enumerate(self._stack) if one.is_item and one.kind != "section"]
        place = items[-1] if items else 0
        if heading is None or place == 0 or len(self._stack) > _DEEPEST:
            return False
        level = len(heading["signs"])
        self._close_first(one for one in self._stack[place:] if one.kind == "section" and one.level >= level)
        title = _HEADING_END.sub("", heading["words"]).strip()
        self._open(_Block("section", "", indent, indent, title, True, ends_with_parent=True, level=level))
        return True

    def _quotation(self, line: str, indent: int) -> None:
        """Read the lines of a quotation as a page of its own."""
        quoted = [line]
        while self._at < len(self._lines) and self._lines[self._at].lstrip().startswith(">"):
            quoted.append(self._lines[self._at])
            self._at += 1
        inner = [one.strip()[1:].removeprefix(" ") for one in quoted]
        alert = _ALERT.match(inner[0].strip())
        if alert is not None:
            title = _own_title(alert["title"].strip(), alert["kind"])
            inner = [with_colon(title), "", *inner[1:]] if title else inner[1:]
        read = _plain_lines(inner, self._paired, self._depth + 1) if self._depth < _DEEPEST else inner
        if alert is None and read == inner:
            self._stack[-1].parts += quoted
        else:
            self._stack[-1].parts += [f"{' ' * indent}> {one}" for one in read]

    # Components and shortcodes ----------------------------------------------------------------------------------------

    def _marks(self, words: str, indent: int) -> bool:
        """Read a line that begins with a component's tag or a shortcode; False where that stands in a sentence."""
        if words.startswith("{/*"):
            return self._comment(words)
        if words[1:2].islower():
            return self._html_of_mdx(words, indent)
        mark = read_mark(words)
        if mark is None:
            return self._mark_over_lines(words, indent)
        if not self._is_on_its_own(mark, words):
            return False
        for _ in range(_DEEPEST * 4):
            self._mark(mark, indent)
            words = words[mark.end :].strip()
            following = read_mark(words) if words.startswith(("<", "{")) else None
            if following is None:
                break
            mark = following
        if words:
            self._text(f"{' ' * indent}{words}")
        return True

    def _is_on_its_own(self, mark: Mark, words: str) -> bool:
        rest = words[mark.end :].strip()
        if mark.is_placeholder and mark.name not in self._paired:
            return False
        if not rest or read_mark(rest) is not None:
            return True
        if mark.closes or mark.is_empty or mark.name not in self._paired:
            return False
        closing = rest.rfind(mark.closing)
        return closing < 0 or not rest[closing:].partition(mark.end_sign)[2].strip()

    def _mark_over_lines(self, words: str, indent: int) -> bool:
        """Read a tag whose attributes stand on the lines below it, up to the first blank one."""
        if self._at < self._unfinished_until or len(words) < 2 or not (words[1].isupper() or words[1] == "{"):
            return False
        whole, last = self._paragraph_words(words)
        mark = read_mark(whole)
        if mark is None:
            self._unfinished_until = last
            return False
        self._at += whole.count("\n", 0, mark.end)
        rest = whole[mark.end :].partition("\n")[0].strip()
        self._mark(mark, indent)
        if rest:
            self._text(f"{' ' * indent}{rest}")
        return True

    def _html_of_mdx(self, words: str, indent: int) -> bool:
        """Write an element of HTML without attributes where one is an expression, which CommonMark takes for words."""
        if "={" not in words and "={" not in "".join(self._lines[self._at : self._at + 3]):
            return False
        whole, last = self._paragraph_words(words)
        mark = None if self._at < self._unfinished_until else read_mark(whole)
        if mark is None or "={" not in whole[: mark.end]:
            self._unfinished_until = max(self._unfinished_until, last)
            return False
        self._at += whole.count("\n", 0, mark.end)
        rest = whole[mark.end :].partition("\n")[0]
        self._add(f"{' ' * indent}<{mark.name}{'/' if mark.is_empty else ''}>{rest}")
        return True

    def _paragraph_words(self, words: str) -> tuple[str, int]:
        """Return a line's words with the lines below it, up to the first blank one, and where that is."""
        last = self._at
        while last < min(len(self._lines), self._at + _MOST_TAG_LINES) and self._lines[last].strip():
            last += 1
        return "\n".join([words, *self._lines[self._at : last]]), last

    def _mark(self, mark: Mark, indent: int) -> None:
        if mark.closes:
            self._close_first(one for one in reversed(self._stack) if one.kind == "tag" and one.name == mark.name)
        elif mark.is_empty or mark.name not in self._paired:
            self._stack[-1].parts += ["", *(f"{' ' * indent}{line}" for line in self._empty_mark_lines(mark)), ""]
        else:
            self._open(self._component(mark, indent))

    def _empty_mark_lines(self, mark: Mark) -> list[str]:
        """Return the lines shown for a mark without content."""
        title, more = self._title(mark), mark.description
        if title and _ITEMS.search(mark.name):
            return [f"- {with_colon(title)} {more}" if more else f"- {title}"]
        return [title, "", more] if title and more else [title or more]

    def _component(self, mark: Mark, indent: int) -> _Block:
        name = mark.name
        title = self._title(mark)
        is_item = bool(title) and _ITEMS.search(name) is not None
        if not is_item:
            title = _own_title(title, name)
        block = _Block("tag", name, indent, None, title, is_item, mark=mark, labels=mark.tab_labels)
        parent = self._stack[-1]
        if parent.name == "tabpane" and parent.mark is not None:  # of Docsy: code, unless it says that it is text
            block.is_code = name == "tab" and "text" not in {**parent.mark.attributes, **mark.attributes}
        if is_item and _STEPS.fullmatch(parent.name):
            parent.count += 1
            block.number = parent.count
        return block

    def _title(self, mark: Mark) -> str:
        """Return a mark's title; a tab's may be in the tag of its group."""
        if not mark.is_tab:
            return mark.title
        parents = (one for one in reversed(self._stack) if one.mark is not None and not one.mark.is_tab)
        group = next(parents, None)
        if group is None or group.labels is None:
            return mark.title or mark.value
        by_value, by_place = group.labels
        group.count += 1
        place = by_place[group.count - 1] if group.count <= len(by_place) else ""
        return mark.title or by_value.get(mark.value, "") or place or mark.value

    def _comment(self, words: str) -> bool:
        if "*/}" in words:
            return not words.partition("*/}")[2].strip()
        if self._at < self._unfinished_until:
            return False
        last = min(len(self._lines), self._at + _MOST_CODE_LINES)
        end = next((at for at in range(self._at, last) if "*/}" in self._lines[at]), None)
        if end is None:
            self._unfinished_until = last
            return False
        self._at = end + 1
        return True

    def _program(self, words: str) -> bool:
        """Skip MDX's imports and exports: they begin a block, and end with their brackets."""
        if not self._is_after_blank and self._program_end != self._at - 1:
            return False
        if _IMPORT.match(words) is None and not self._skip_brackets(words):
            return False
        self._program_end = self._at
        return True

    def _skip_brackets(self, words: str) -> bool:
        if (_EXPORT.match(words) is None and _IMPORT_START.match(words) is None) or self._at < self._unfinished_until:
            return False
        depth = _bracket_depth(words)
        last = self._at
        while depth > 0 and last < min(len(self._lines), self._at + _MOST_CODE_LINES):
            depth += _bracket_depth(self._lines[last])
            last += 1
        if depth > 0:
            self._unfinished_until = last
            return False
        self._at = last
        return True

    # Lines ------------------------------------------------------------------------------------------------------------

    def _text(self, line: str) -> None:
        """Add a line of text; a block whose closing mark stands at its end closes."""
        while (open_tag := self._innermost_tag()) is not None:
            assert open_tag.mark is not None
            head, closing, end = line.rpartition(open_tag.mark.closing)
            before_sign, _, behind = end.partition(open_tag.mark.end_sign)
            if not closing or before_sign.strip() or behind.strip() or open_tag.mark.opening in head:
                break
            line = head.rstrip()
            if line:
                self._add(self._without_shortcodes(line))
            self._close(open_tag)
            line = ""
        if line:
            self._add(self._without_shortcodes(line))

    def _without_shortcodes(self, line: str) -> str:
        """Return a line without shortcodes in it; one that goes on in the next lines is joined with them."""
        for _ in range(8):
            if line.rfind("{{<") <= line.rfind(">}}") or self._at >= len(self._lines):
                break
            line = f"{line} {self._lines[self._at].strip()}"
            self._at += 1
        return without_inline_marks(line)

    def _innermost_tag(self) -> _Block | None:
        last = self._stack[-1]
        number = len(self._stack) - 1
        while last.ends_with_parent and number > 0:
            number -= 1
            last = self._stack[number]
        return last if last.kind == "tag" else None

    def _add(self, line: str) -> None:
        self._stack[-1].parts.append(line)

    def _open(self, block: _Block) -> None:
        parent = self._stack[-1]
        parent.parts.append(block)
        if len(self._stack) <= _DEEPEST:
            self._stack.append(block)

    def _close_first(self, blocks: Iterable[_Block]) -> bool:
        """Close the first of the blocks; False where there is none."""
        block = next(iter(blocks), None)
        if block is not None:
            self._close(block)
        return block is not None

    def _close(self, block: _Block) -> None:
        """Close a block; an inner one that was never closed is dissolved, and its title becomes a paragraph."""
        self._close_above(block)
        if len(self._stack) > 1:
            self._stack.pop()

    def _close_above(self, block: _Block) -> None:
        while self._stack[-1] is not block:
            inner = self._stack.pop()
            if not inner.ends_with_parent:
                inner.is_item = False
        self._fence = None


def _render(block: _Block) -> Iterator[str]:
    """Yield a block's lines, its content indented below its title."""
    if block.mark is not None and block.mark.is_for_machines:
        return
    lines = [line for part in block.parts for line in ([part] if isinstance(part, str) else _render(part))]
    if block.kind == "page":
        yield from lines
        return
    yield ""
    blanks = " " * block.indent
    mark = ""
    if block.is_item and block.title:
        mark = f"{block.number}. " if block.number else "- "
        has_content = any(line.strip() for line in lines)
        yield f"{blanks}{mark}{with_colon(block.title) if has_content else block.title}"
        yield ""
    elif block.title:
        is_sentence = _SENTENCE_END.search(block.title) is not None
        yield f"{blanks}{block.title if is_sentence else with_colon(block.title)}"
        yield ""
    yield from _reindented(_as_code(lines, block), block, block.indent + len(mark))
    yield ""


def _reindented(lines: Sequence[str], block: _Block, target: int) -> Iterator[str]:
    """Yield the lines so that the block's content begins at the column ``target``."""
    first = block.content_indent
    if first is None:
        first = next((_columns_before(line) for line in lines if line.strip()), 0)
    for line in lines:
        if not line.strip():
            yield ""
            continue
        indent = _columns_before(line)
        moved = max(target, indent + target - first)
        yield line if moved == indent else f"{' ' * moved}{line.lstrip()}"


def _as_code(lines: list[str], block: _Block) -> list[str]:
    """Return the lines, between fences where a shortcode says that they are code."""
    if block.mark is None or not (block.is_code or block.mark.is_code or block.name in _PLAIN_CODE):
        return lines
    if any("```" in line for line in lines):
        return lines
    first = next((_columns_before(line) for line in lines if line.strip()), 0)
    return [f"{' ' * first}```", *lines, f"{' ' * first}```"]


def _columns_before(line: str) -> int:
    blanks = line[: len(line) - len(line.lstrip())]
    return len(blanks.expandtabs(4)) if "\t" in blanks else len(blanks)


def _own_title(title: str, kind: str) -> str:
    """Return a title that adds to the kind of its box; else nothing."""
    plain = title.strip("*_ ").rstrip(_SAID_END).lower()
    return "" if plain in _KINDS or plain == kind.lower() else title


def _unescaped(title: str) -> str:
    return title.replace('\\"', '"').strip()


def _code_label(info: str) -> str:
    """Return the label of a fence in a code group: ``sh [npm]``, ``bash npm``, ``js title="x.js"``."""
    if (label := _TAB_LABEL.search(info)) is not None:
        return label["label"].strip()
    if (title := _CODE_TITLE.search(info)) is not None:
        return (title["one"] or title["other"]).strip()
    return _CODE_OPTION.sub(" ", info).strip().partition(" ")[2].strip()


def _bracket_depth(line: str) -> int:
    signs = [match[0] for match in _BRACKETS.finditer(line)]
    return sum(sign in "[({" for sign in signs) - sum(sign in "])}" for sign in signs)
