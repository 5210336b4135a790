"""Markdown with front matter in YAML or TOML.

Structure is kept and decoration dropped: headings, lists, tables and code blocks stay as they are written; emphasis,
comments, template tags and the targets of relative links go.  A footnote follows the paragraph, list or table that
first refers to it: at the end of the page it would stand under another section's heading.  A list in the front matter
that the page includes (Jekyll: ``{% include list.html items=page.do_list %}``) is written where it is included.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache

import yaml
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.tree import SyntaxTreeNode

from ingest.loaders.fields import make_document, picture_description
from ingest.loaders.html import fragment_text
from ingest.loaders.plain_markup import (
    bullet,
    code_block,
    footnote,
    heading,
    join_lines,
    link,
    marks_within_sentences,
    table,
)
from ingest.loaders.site_markup import plain_markdown
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.text import decoded
from ingest.loaders.wrapped_rows import with_whole_rows
from rag.schema import Document
from rag.text.markup import QUESTION_ENDS, read_lines

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<yaml>.*?)\n?^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_TOML_FRONT_MATTER = re.compile(r"\A\+\+\+[ \t]*\n(?P<toml>.*?)\n?^\+\+\+[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_FRONT_MATTER_LIMIT_CHARACTERS = 64 * 1024
_PLAIN_ENTRY = re.compile(
    r"^(?P<name>\w[\w -]*):[ \t]+(?P<value>[^\s\[{&*|>#!%@`](?:.*[^ \t\n])?)[ \t]*+$", re.MULTILINE
)
# Liquid tags, Jekyll's variables, kramdown's attribute lists: instructions to a site generator
_TEMPLATE = re.compile(
    r"\{%(?:(?!\{%|%\}).)*+%\}|\{\{-?\s*+(?:site|page|include|layout)\.(?:(?!\{\{|\}\}).)*+\}\}|\{:[^{}\n]*\}"
    r"|\{[ \t]*+[#.]{1,2}\w[^{}\n]*+\}|\{[ \t]*+[\w-]++=\"[^\"{}\n]*+\"[^{}\n]*+\}"
    r"|(?<![\w:]):(?:material|octicons|fontawesome|simple)-[a-z0-9-]++:(?!\w)"  # pictures of MkDocs
)
_CAPTURE = re.compile(
    r"[ \t]*+(?:\{%-?[ \t]*+(?:end)?capture\b[^{}%]*+%\}|\{\{[^{}|]*+\|[ \t]*+markdownify\b[^{}]*+\}\})\s*+"
)
_KEYS = re.compile(r"(?<![\w+])\+\+(?P<keys>[a-z0-9]++(?:[+-][a-z0-9]++)*+)\+\+(?![\w+])")  # ++ctrl+c++ in MkDocs
_INCLUDE = re.compile(r"\{%-?\s*+include\b(?P<given>(?:(?!\{%|%\}).)*+)%\}", re.DOTALL)
_OF_PAGE = re.compile(r"=\s*page\.(?P<name>\w+)")
# To CommonMark a target with blanks makes no link; generators of documentation write such targets all the same.
_LOOSE_LINK = re.compile(r"!?\[(?P<words>[^\[\]\n]*+)\]\((?!\w+:)[^()\n]*?\.(?:md|html?|dita|xml)[^()\n]*+\)")
# The parser makes no link of these and keeps their Markdown; another renderer may.
_SCRIPT_LINK = re.compile(
    r"(?P<code>`[^`\n]*+`)|!?\[(?P<words>[^\[\]\n]*+)\]\([ \t]*+"
    r"<?(?:javascript|vbscript|data):(?:[^()\n]++|\([^()\n]*+\))*+\)",
    re.IGNORECASE,
)

# A link of Obsidian and other programs for notes: [[Target]], [[Target#Heading]], [[Target|words that are shown]]
_WIKI_LINK = re.compile(
    r"(?P<embeds>!?)\[\[(?=[^\[\]\n]*[^\W\d])(?P<target>(?!\s)[^\[\]|#\n]*+)(?:#(?P<part>[^\[\]|\n]*+))?"
    r"(?:\|(?P<words>[^\[\]\n]*+))?\]\](?![(\[])"
)
_FILE_ENDING = re.compile(r"\.(?!md\Z)[a-z][a-z0-9]{1,4}\Z", re.IGNORECASE)

# To CommonMark "the **Realms **tab" and 和**“允许”** have no emphasis: a blank, or a letter beside a quotation mark.
_LOOSE_EMPHASIS = re.compile(r"(?<![A-Za-z0-9*])\*\*(?P<words>[^*\s][^*\n]{0,200}+)\*\*(?!\*)")

_FOOTNOTE_MARK = re.compile(r"\[\^(?P<label>[^\[\]\s]{1,100})\]")
_FOOTNOTE_START = re.compile(rf"{_FOOTNOTE_MARK.pattern}:[ \t]*+")
_FOOTNOTE_INDENT_COLUMNS = 4

_HTML_TAG = re.compile(
    r"\s*</?(?:a|b|blockquote|br|button|dd|details|div|dl|dt|em|h[1-6]|i|li|ol|p|section|span|strong|summary|table|tbody"
    r"|td|th|thead|tr|ul)\b[^<>]*>",
    re.IGNORECASE,
)

_PLACEHOLDER = re.compile(r"<(?P<name>[A-Za-z][\w-]*+)>")
_HTML_NAMES = frozenset({
    "a", "abbr", "acronym", "address", "applet", "area", "article", "aside", "audio", "b", "base", "basefont",
    "bdi", "bdo", "big", "blink", "blockquote", "body", "br", "button", "canvas", "caption", "center", "circle",
    "cite", "code", "col", "colgroup", "data", "datalist", "dd", "defs", "del", "details", "dfn", "dialog",
    "dir", "div", "dl", "dt", "em", "embed", "fieldset", "figcaption", "figure", "font", "footer", "form",
    "frame", "frameset", "g", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "i",
    "iframe", "img", "input", "ins", "kbd", "label", "legend", "li", "line", "link", "main", "map", "mark",
    "marquee", "math", "menu", "meta", "meter", "nav", "nobr", "noscript", "object", "ol", "optgroup", "option",
    "output", "p", "param", "path", "picture", "polygon", "pre", "progress", "q", "rect", "rp", "rt", "ruby",
    "s", "samp", "script", "search", "section", "select", "slot", "small", "source", "span", "strike", "strong",
    "style", "sub", "summary", "sup", "svg", "table", "tbody", "td", "template", "textarea", "tfoot", "th",
    "thead", "time", "title", "tr", "track", "tt", "u", "ul", "use", "var", "video", "wbr",
})  # fmt: skip
"""The elements of HTML's living standard, the obsolete ones, and those of drawings in pages."""


def load_markdown(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of a Markdown file.  Its title: front matter, first heading, file name."""
    del limits  # the file's size is checked before it is read
    entries, body = _front_matter(decoded(source, raw))
    fields = _fields(entries)
    text, heading_words = markdown_text(_with_captures(_with_page_lists(body, entries)))
    if not fields.get("title"):
        fields = {**fields, "title": heading_words}
    yield make_document(source, text, fields, kind="markdown")


def load_notebook(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of a notebook.  Its title is the first heading, else the file's name."""
    del limits
    notebook = json.loads(decoded(source, raw))
    language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language", ""))
    blocks: list[str] = []
    title = ""
    for cell in notebook["cells"]:
        content = cell.get("source", "")
        content = "".join(content) if isinstance(content, list) else str(content)
        if cell.get("cell_type") == "markdown":
            text, heading = markdown_text(content)
            blocks.append(text)
            title = title or heading
        elif cell.get("cell_type") == "code":
            blocks.append(code_block(content, language))
    yield make_document(source, "\n\n".join(filter(None, blocks)), {"title": title}, kind="notebook")


def markdown_text(body: str) -> tuple[str, str]:
    """Return the text without decoration, and its first heading or an empty string."""
    tree = SyntaxTreeNode(_parser().parse(plain_markdown(with_whole_rows(body))))
    notes = _take_footnotes(tree)
    title = _FOOTNOTE_MARK.sub("", _first_heading(tree))
    return "\n\n".join(filter(None, _blocks_and_footnotes(tree, notes))), title


def _front_matter(content: str) -> tuple[Mapping[str, object], str]:
    """Return the front matter's entries and the rest; Hugo's may be TOML between lines of ``+++``.

    Of what is neither the plain lines are read: a colon in a title must not make an internal article a public one.
    """
    match = _FRONT_MATTER.match(content)
    if match is None:
        return _toml_front_matter(content)
    body = content[match.end() :]
    written = match["yaml"]
    if len(written) > _FRONT_MATTER_LIMIT_CHARACTERS:
        return {}, body
    try:
        entries = yaml.load(written, Loader=_SafeLoaderWithoutAliases)
    except (yaml.YAMLError, ValueError):  # ValueError: an impossible date such as 2026-02-31
        entries = {line["name"]: line["value"].strip("'\"") for line in _PLAIN_ENTRY.finditer(written)}
    return (entries if isinstance(entries, Mapping) else {}), body


def _toml_front_matter(content: str) -> tuple[Mapping[str, object], str]:
    match = _TOML_FRONT_MATTER.match(content)
    if match is None:
        return {}, content
    written, body = match["toml"], content[match.end() :]
    if len(written) > _FRONT_MATTER_LIMIT_CHARACTERS:
        return {}, body
    try:
        return tomllib.loads(written), body
    except tomllib.TOMLDecodeError:
        lines = (line.partition("=") for line in written.splitlines() if "=" in line)
        entries = {name.strip(): value.strip(" \t'\"") for name, _, value in lines}
        return (entries, body) if entries else ({}, content)


def _fields(entries: Mapping[str, object]) -> dict[str, str]:
    """Return the entries as strings under lower-case names.

    Lists become ``a, b``; nested mappings are left out, for they describe the site, not the text.
    """
    named = ((str(name).lower(), _as_text(value)) for name, value in entries.items())
    return {name: value for name, value in named if value}


def _with_captures(body: str) -> str:
    """Read as Markdown what a page of Jekyll keeps between ``capture`` tags, to show it elsewhere as Markdown.

    Such pages have it inside of HTML ("<div>", then the tag), where CommonMark reads no Markdown before an empty line.
    """
    if "markdownify" not in body:
        return body
    lines = ((line.kind, body[line.start : line.end]) for line in read_lines(body))
    return "\n".join("" if kind != "code" and _CAPTURE.fullmatch(words) else words for kind, words in lines)


def _with_page_lists(body: str, entries: Mapping[str, object]) -> str:
    """Write the front matter's lists where the page includes them.

    Each stands once, at its first place: a long one that is included everywhere could fill gigabytes.
    """
    lists = {name: value for name, value in entries.items() if isinstance(value, list)}

    def list_items(tag: re.Match[str]) -> str:
        named = _OF_PAGE.search(tag["given"])
        items = [item for item in lists.pop(named["name"], ()) if isinstance(item, str)] if named else []
        if not items:
            return tag.group()
        before = body[body.rfind("\n", 0, tag.start()) + 1 : tag.start()]
        indent = "" if before.strip() else before
        return "".join(f"\n{indent}- {' '.join(item.split())}" for item in items) + "\n"

    return _INCLUDE.sub(list_items, body)


class _SafeLoaderWithoutAliases(yaml.SafeLoader):
    """Refuses aliases, of which a few lines can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_as_text(item) for item in value if not isinstance(item, list | dict))
    if value is None or isinstance(value, dict):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache  # it takes a fifth of the time of a page; a process reads one page at a time
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    # before "reference": to CommonMark "[^1]: 保修五年。" is the target of a link, and its words are not shown
    parser.block.ruler.before("reference", "footnote", _footnote_rule, {"alt": ["paragraph", "reference"]})
    parser.inline.ruler.before("link", "wiki_link", _wiki_link_rule)
    return parser


def _wiki_link_rule(state: StateInline, silent: bool) -> bool:
    """Read a link of a program for notes as the words that it shows; the parser calls this."""
    found = _WIKI_LINK.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        state.push("text", "", 0).content = _wiki_words(found)
    state.pos = found.end()
    return True


def _wiki_words(found: re.Match[str]) -> str:
    """Return what a link of a program for notes shows; nothing for an embedded picture or another file."""
    target, part = found["target"].rstrip("\\ "), (found["part"] or "").strip()
    if found["embeds"] and _FILE_ENDING.search(target):
        return ""
    page = target.rpartition("/")[2].removesuffix(".md")
    place = "" if part.startswith("^") else part  # the mark of a paragraph is no words
    return (found["words"] or "").strip() or " > ".join(filter(None, (page, place)))


def _footnote_rule(state: StateBlock, first_line: int, end_line: int, silent: bool) -> bool:
    """Read a footnote, with what is indented below it, as a block ``footnote``; the parser calls this."""
    start = state.bMarks[first_line] + state.tShift[first_line]
    found = _FOOTNOTE_START.match(state.src, start, state.eMarks[first_line])
    if found is None or state.is_code_block(first_line):
        return False
    if silent:
        return True
    former = state.bMarks[first_line], state.tShift[first_line], state.sCount[first_line]
    state.push("footnote_open", "", 1).meta = {"label": found["label"]}
    state.blkIndent += _FOOTNOTE_INDENT_COLUMNS
    state.bMarks[first_line], state.tShift[first_line], state.sCount[first_line] = found.end(), 0, state.blkIndent
    state.md.block.tokenize(state, first_line, end_line)
    state.bMarks[first_line], state.tShift[first_line], state.sCount[first_line] = former
    state.blkIndent -= _FOOTNOTE_INDENT_COLUMNS
    state.push("footnote_close", "", -1)
    return True


def _take_footnotes(tree: SyntaxTreeNode) -> dict[str, SyntaxTreeNode]:
    """Remove the footnotes that something refers to from the tree, and return them by their labels."""
    found = [node for node in tree.walk() if node.type == "footnote"]
    referred = set(_footnote_labels(tree)) if found else set()
    notes: dict[str, SyntaxTreeNode] = {}
    for node in found:
        label = str(node.meta["label"])
        if label in referred and label not in notes and node.parent is not None:
            notes[label] = node
            node.parent.children = [other for other in node.parent.children if other is not node]
    return notes


def _footnote_labels(node: SyntaxTreeNode) -> Iterator[str]:
    """Yield the labels of the footnotes that a node's words refer to."""
    for part in node.walk():
        if part.type == "text":
            yield from (mark["label"] for mark in _FOOTNOTE_MARK.finditer(part.content))


def _blocks_and_footnotes(tree: SyntaxTreeNode, notes: Mapping[str, SyntaxTreeNode]) -> Iterator[str]:
    """Yield the page's blocks, each with the notes that it is the first to refer to behind it."""
    waiting = dict(notes)
    for node, block in _nodes_with_text(tree):
        yield block
        nodes = [node] if waiting else []
        while nodes:
            for label in _footnote_labels(nodes.pop(0)):
                if (note := waiting.pop(label, None)) is not None:
                    nodes.append(note)
                    yield _footnote(note)
    yield from map(_footnote, waiting.values())  # only other notes refer to these


def _footnote(note: SyntaxTreeNode) -> str:
    """Return a note with its mark; empty where it has no words."""
    return footnote(str(note.meta["label"]), "\n\n".join(_blocks(note)))


def _first_heading(tree: SyntaxTreeNode) -> str:
    return next((_inline(node) for node in tree.walk() if node.type == "heading"), "")


def _blocks(parent: SyntaxTreeNode) -> Iterator[str]:
    yield from (block for _, block in _nodes_with_text(parent))


def _nodes_with_text(parent: SyntaxTreeNode) -> Iterator[tuple[SyntaxTreeNode, str]]:
    in_html = False
    for node in parent.children:
        # To Markdown, what is indented after a blank line is code, also in the midst of a page's HTML.
        in_html = node.type == "html_block" or (in_html and _is_indented_html(node))
        block = _html(node.content) if in_html else _block(node)
        if block.strip():
            yield node, block


def _html(markup: str) -> str:
    """Return the text of HTML between paragraphs; a placeholder alone on its line is kept."""
    placeholder = _PLACEHOLDER.fullmatch(markup.strip())
    is_unknown = placeholder is not None and placeholder["name"].lower() not in _HTML_NAMES
    return markup.strip() if is_unknown else fragment_text(markup)


def _tag(node: SyntaxTreeNode) -> str:
    """Return the text for a tag in a sentence: ``<ip>`` is no HTML, but a placeholder for the reader's value."""
    if node.content.lower().startswith("<br"):
        return "\n"
    placeholder = _PLACEHOLDER.fullmatch(node.content)
    if placeholder is None or placeholder["name"].lower() in _HTML_NAMES:
        return ""
    closing = f"</{placeholder['name']}>"
    is_closed = any(other.type == "html_inline" and other.content == closing for other in node.siblings)
    return "" if is_closed else node.content


def _is_indented_html(node: SyntaxTreeNode) -> bool:
    return node.type == "code_block" and _HTML_TAG.match(node.content) is not None


def _block(node: SyntaxTreeNode) -> str:
    if node.type == "heading":
        return heading(int(node.tag[1:]), _inline(node))
    if node.type == "paragraph":
        return _inline(node)
    if node.type in ("fence", "code_block"):
        return code_block(node.content, node.info)
    if node.type in ("bullet_list", "ordered_list"):
        return _list(node)
    if node.type == "table":
        rows = [row for part in node.children for row in part.children]
        return table([[_inline(cell) for cell in row.children] for row in rows])
    if node.type == "footnote":
        return _footnote(node)
    return "\n\n".join(_blocks(node))  # a quotation; a rule has no children


def _list(node: SyntaxTreeNode) -> str:
    first = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
    items = []
    for position, item in enumerate(node.children):
        tight = all(child.type != "paragraph" or child.hidden for child in item.children)
        content = ("\n" if tight else "\n\n").join(_blocks(item))
        if content:
            items.append(bullet(content, None if first is None else first + position))
    return "\n".join(items)


def _inline(node: SyntaxTreeNode) -> str:
    """Return the words of a heading, paragraph or cell."""
    parts = (_inline_part(part) for child in node.children for part in child.children)
    words = _LOOSE_LINK.sub(r"\g<words>", _TEMPLATE.sub("", "".join(parts)))
    words = _KEYS.sub(r"\g<keys>", _SCRIPT_LINK.sub(r"\g<code>\g<words>", words))
    return join_lines(words).strip()


def _is_question(node: SyntaxTreeNode | None) -> bool:
    """Tell whether this is an emphasized question, which stands above its answer: ``**How long?**``."""
    if node is not None and node.type == "text" and not node.content:  # the parser leaves one after emphasis
        node = node.previous_sibling
    return node is not None and node.type in ("strong", "em") and _inline_part(node).rstrip().endswith(QUESTION_ENDS)


def _inline_part(node: SyntaxTreeNode) -> str:
    if node.type == "code_inline":
        return f"`{node.content}`"
    if node.type == "softbreak":
        # else a wrap: join_lines makes a blank of it, or nothing between ideographs
        return "\n" if _is_question(node.previous_sibling) else "\v"
    if node.type == "hardbreak":
        return "\n"
    if node.type == "html_inline":
        return _tag(node)
    if node.type == "image":
        return picture_description(str(node.content))
    if node.type == "text":
        return marks_within_sentences(_LOOSE_EMPHASIS.sub(r"\g<words>", node.content))
    words = "".join(_inline_part(child) for child in node.children) if node.children else node.content
    return link(words, str(node.attrs.get("href", ""))) if node.type == "link" else words
