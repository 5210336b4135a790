"""Is an answer to a desk case right, and do the documents decide the case?  No model judges: the words alone.

Phrases are compared after width, case, dashes, Markdown marks, thousands separators and spaces are made equal.  Numbers
and Latin words match whole: "5" is not in "15" or "5.5".  A Chinese phrase does not match after 不 or 未.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from eval.desk.cases import FALSE_PREMISE, DeskCase, absence_pattern
from rag.storage.store import KnowledgeStore

_IDEOGRAPHS = r"\u2e80-\u9fff\uf900-\ufaff"
_DASHES = re.compile(r"[\u2010-\u2015\u2212]")
_APOSTROPHES = re.compile(r"[\u2018\u2019]")
_MARKDOWN_MARKS = re.compile(r"[\\*`]")
_ASKS_WHETHER = re.compile("能不能|可不可以|支不支持|会不会|要不要|行不行|是不是|有没有|算不算")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SPACES = re.compile(r"\s+")
_SPACE_AT_IDEOGRAPH = re.compile(rf"(?<=[{_IDEOGRAPHS}]) | (?=[{_IDEOGRAPHS}])")
_SPACE_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(gib|tib|mib|gb|tb|mb|gbps|mbps|gbit|mbit|台|个|天|元)(?![a-z]))")
_BEGINS_CHINESE = re.compile(f"[{_IDEOGRAPHS}]")

_NAMES_A_GAP = re.compile(
    r"没有?(在|从)?[^。；，\n]{0,14}(提到|提及|提供|说明|给出|找到|查到|记载|涉及|写明|列出|相关|明确|包含|信息|依据)"
    r"|未(能)?[^。；，\n]{0,10}(提到|提及|说明|提供|给出|找到|查到|涉及|注明|记载|明确|列出|包含|收录|写明)"
    r"|查不到|找不到|无法(确认|确定|回答|判断|给出|提供|从|在)|不能(确认|确定)|不清楚|暂无|无相关|没有可靠"
    r"|\bnot (be )?(stated|specified|given|mentioned|covered|documented|provided|listed|included|available|found|"
    r"described|published|clear|say|state|specify|mention|give|provide|cover|list|include|contain|document|find|"
    r"confirm|determine|tell|in the (documents?|documentation|knowledge base|sources?|evidence))\b"
    r"|n['’]t (say|state|specify|mention|give|provide|cover|list|include|contain|find|confirm|determine|tell|"
    r"be found|stated|specified|given|mentioned|covered|documented|listed|available)\b"
    r"|\bno (information|mention|figure|details?|statement|documentation|evidence|data)\b"
    r"|\bunable to (find|confirm|determine|answer)\b|\bcannot (find|confirm|determine|say|tell|be (found|confirmed))\b"
    r"|\bsilent (on|about)\b|\bmissing from\b",
    re.IGNORECASE,
)

DERIVED = "derived:"
"""In a case's note: its facts are worked out from the quotes, so that they need not stand there."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is judged.  ``refused``: the product showed its refusal; ``partial``: it marked the answer as incomplete.

    ``cited`` are the paths of the documents that it cites.
    """

    text: str
    refused: bool = False
    partial: bool = False
    cited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a reply.  ``cites_gold`` is None where no document is gold, or it was refused.

    ``lacking`` are the lists of which no phrase is there, ``forbidden`` the phrases that must not be.  ``names_gap``
    tells that the text says something is not in the documents.
    """

    right: bool
    refused: bool
    cites_gold: bool | None
    names_gap: bool
    lacking: tuple[tuple[str, ...], ...] = ()
    forbidden: tuple[str, ...] = ()

    @property
    def has_facts(self) -> bool:
        """Whether every fact is there and nothing forbidden."""
        return not self.lacking and not self.forbidden


def judge(case: DeskCase, reply: Reply) -> Verdict:
    """Judge a reply.

    Of an answerable case it is right where it is no refusal, has every fact and nothing forbidden; where only one half
    is in the documents it must also say so.  What has no answer must be refused; a false premise may be corrected.
    """
    text = normalise(reply.text)
    lacking = tuple(group for group in case.must_contain_any if not _holds_any(text, group))
    forbidden = tuple(phrase for phrase in case.must_not_contain if holds_phrase(text, phrase))
    has_facts = not lacking and not forbidden
    names_gap = reply.partial or _NAMES_A_GAP.search(text) is not None
    if case.answerable is False:
        right = reply.refused or (case.kind == FALSE_PREMISE and has_facts)
    else:
        right = not reply.refused and has_facts and (case.answerable is True or names_gap)
    is_cited = None if reply.refused or not case.gold_docs else has_gold(reply.cited, case.gold_docs)
    return Verdict(right, reply.refused, is_cited, names_gap, lacking, forbidden)


def holds_facts(case: DeskCase, text: str) -> bool:
    """Tell whether a text has one phrase of every list."""
    normalised = normalise(text)
    return all(_holds_any(normalised, group) for group in case.must_contain_any)


def has_gold(paths: Iterable[str], gold_docs: Sequence[str]) -> bool:
    """Tell whether one of the paths ends in a gold document's.

    >>> has_gold(["/kb/en/a.md"], ["en/a.md"]), has_gold(["/kb/zen/a.md"], ["en/a.md"])
    (True, False)
    """
    gold = [_plain_path(one) for one in gold_docs]
    plain = [_plain_path(one) for one in paths]
    return any(path == one or path.endswith(f"/{one}") for path in plain for one in gold)


def normalise(text: str) -> str:
    """Return the text's form for comparisons.

    >>> normalise("It keeps **1,024 GB** – 能不能 改？")
    'it keeps 1024gb - ?改?'
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _DASHES.sub("-", text)
    text = _APOSTROPHES.sub("'", text)
    text = _MARKDOWN_MARKS.sub("", text)
    text = _ASKS_WHETHER.sub("?", text)  # asks whether: not a no
    text = _THOUSANDS.sub("", text)
    text = _SPACES.sub(" ", text)
    text = _SPACE_AT_IDEOGRAPH.sub("", text)
    return _SPACE_BEFORE_UNIT.sub("", text).strip()


def holds_phrase(normalised: str, phrase: str) -> bool:
    """Tell whether a normalised text contains a whole phrase.

    >>> holds_phrase(normalise("up to 15.5 days"), "15"), holds_phrase(normalise("数据不保留"), "保留")
    (False, False)
    """
    pattern = _pattern(phrase)
    return pattern is not None and pattern.search(normalised) is not None


def _holds_any(normalised: str, phrases: Sequence[str]) -> bool:
    return any(holds_phrase(normalised, phrase) for phrase in phrases)


@lru_cache(maxsize=4096)
def _pattern(phrase: str) -> re.Pattern[str] | None:
    wanted = normalise(phrase)
    if not wanted:
        return None
    before = after = ""
    if re.match("[a-z]", wanted):
        before = "(?<![a-z0-9])"
    elif wanted[0].isdigit():
        before = r"(?<![0-9a-z])(?<!\d[.,])"
    elif _BEGINS_CHINESE.match(wanted) and wanted[0] not in "不未":
        before = "(?<![不未])"  # 不保留 is not 保留
    if re.search("[a-z]$", wanted):
        after = "(?![a-z0-9])"
    elif wanted[-1].isdigit():
        after = r"(?!\d)(?![.,]\d)"
    return re.compile(before + re.escape(wanted) + after)


def _plain_path(path: str) -> str:
    return re.sub(r"^(\./|/)+", "", unicodedata.normalize("NFC", path.replace("\\", "/")))


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a case: ``key`` names the sentence of the catalogue, ``what`` the words that it is about."""

    case_id: str
    key: str
    what: str


def check_cases(cases: Sequence[DeskCase], documents: Mapping[str, str]) -> list[Complaint]:
    """Return what is wrong with the cases; ``documents`` are texts by path.

    Gold documents must be there and hold the quotes; one phrase of each list must stand in the quotes, and nothing that
    is forbidden; the customer's own words may not pass as an answer; what is said to be absent must be so.
    """
    return [complaint for case in cases for complaint in _complaints(case, documents)]


def texts_of(store: KnowledgeStore) -> dict[str, str]:
    """Return the texts of the published documents by their paths."""
    generation = store.require_generation()
    documents = [store.document(name, generation) for name in store.origins(generation)]
    return {one.path: "\n".join((one.title, one.text)) for one in documents}


def _complaints(case: DeskCase, documents: Mapping[str, str]) -> Iterator[Complaint]:
    gold = {name: [text for path, text in documents.items() if has_gold([path], [name])] for name in case.gold_docs}
    yield from (Complaint(case.case_id, "no_document", name) for name, texts in gold.items() if not texts)
    gold_text = normalise("\n".join(text for texts in gold.values() for text in texts))
    yield from (Complaint(case.case_id, "no_quote", one) for one in case.quotes if normalise(one) not in gold_text)
    quoted = normalise(" \n ".join(case.quotes))
    if case.quotes and DERIVED not in case.note:
        for group in case.must_contain_any:
            if not any(holds_phrase(quoted, phrase) for phrase in group):
                yield Complaint(case.case_id, "not_quoted", " / ".join(group))
    for phrase in case.must_not_contain:
        if holds_phrase(quoted, phrase):
            yield Complaint(case.case_id, "forbidden_quoted", phrase)
    if case.has_facts and holds_facts(case, "\n".join(case.turns)):
        yield Complaint(case.case_id, "echo", case.question)
    for pattern in case.absent:
        found = absence_pattern(pattern)
        path = next((path for path, text in documents.items() if found.search(text)), None)
        if path is not None:
            yield Complaint(case.case_id, "not_absent", f"{pattern} ({path})")
