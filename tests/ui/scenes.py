"""What the scripted desk answers: real passages of the sample knowledge base, and a gate before each stage."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ingest.loaders.registry import load
from ingest.loaders.source import Limits
from rag.errors import (
    AnswerdeskError,
    EmbedderMismatch,
    KnowledgeBaseMissing,
    ModelMissing,
    ModelStoppedHalfway,
    ModelTimedOut,
    OllamaUnavailable,
    QueueFull,
)
from rag.evidence.quotation import quoted_citations, quoted_text, with_quotation
from rag.schema import (
    Answer,
    AnswerDelta,
    Citation,
    Completed,
    Document,
    Event,
    Evidence,
    Figure,
    Lane,
    Language,
    Origin,
    Queued,
    Retrieved,
    SpanTime,
    TextSpan,
    ThinkingDelta,
)

KNOWLEDGE = Path(__file__).parents[2] / "data" / "knowledge"
STAGES = ("search", "queue", "line", "read", "think", "write", "more", "end")
"""A gate stands before each: nothing found yet, evidence and a place in line, the next place, the model's turn, ..."""

Step = str | Event | Exception


@dataclass(frozen=True)
class Words:
    """One language's question and answer.  ``said`` pairs a sentence with its passage number and the quoted words."""

    question: str
    thinking: str
    answer: str
    said: Sequence[tuple[str, int, str]]
    unsupported: Sequence[str]
    passages: Sequence[tuple[str, str, str, str]]
    """``(document, first words of the passage, of its focus, and of its last paragraph)``"""


WORDS: Mapping[Language, Words] = {
    "en": Words(
        question="Hi, my Drift R3 came three weeks ago and it is too loud for our flat in Cork. "
        "Can I still send it back, and who pays for the label?",
        thinking="The parcel came three weeks ago, so the 30 days are not over. Cork is in Ireland, an EU country, "
        "so the label costs EUR 4.95.\nThe model is not faulty, so the free label does not apply.",
        answer="Yes, you can still send it back: the return window is **30 days of delivery**. From EU countries the "
        "label costs EUR 4.95, which is deducted from the refund.\n\n"
        "- Please send back everything that was in the box, including the power supply.\n"
        "- The parcel usually reaches our warehouse within two days.\n\n"
        "After the check, money paid by card arrives in 3 to 5 working days.",
        said=(
            ("Yes, you can still send it back: the return window is **30 days of delivery**.", 1, "You can send back"),
            ("From EU countries the label costs EUR 4.95, which is deducted from the refund.", 2, "| EU countries"),
            ("Please send back everything that was in the box, including the power supply.", 1, "Please send back"),
            ("After the check, money paid by card arrives in 3 to 5 working days.", 3, "| Debit or credit card"),
        ),
        unsupported=("The parcel usually reaches our warehouse within two days.",),
        passages=(
            ("en/returns/return-window.md", "You can send back", "You can send back", "You may unpack"),
            ("en/returns/return-window.md", "## Cost of the label", "| Where you return", "If the item is faulty"),
            ("en/returns/refund-timing.md", "Our warehouse checks", "Our warehouse checks", "| Paid with"),
            ("en/returns/return-window-2025.md", "", "", ""),
            ("en/internal/goodwill.md", "Not to be passed on", "Not to be passed on", "| Role"),
        ),
    ),
    "zh": Words(
        question="你好，我上周五签收的 Drift R3 声音太大了，已经拆封通电试过，还能退吗？退款多久能到信用卡？",
        thinking="顾客上周五签收，还在 7 天之内。通电试用不影响退货。\n信用卡退款需要 3–7 个工作日。",
        answer="可以退。自签收次日零时起 **7 天内**可以申请无理由退货，通电试用不影响退货。\n\n"
        "- 请先把设备从“汐井家”账号中解绑，未解绑的退件会被暂停质检。\n"
        "- 退货运费由我们承担。\n\n"
        "仓库质检通过当天发起原路退款，信用卡 3–7 个工作日到账。",
        said=(
            ("自签收次日零时起 **7 天内**可以申请无理由退货，通电试用不影响退货。", 1, "在汐井商城"),
            ("请先把设备从“汐井家”账号中解绑，未解绑的退件会被暂停质检。", 2, "设备已从"),
            ("仓库质检通过当天发起原路退款，信用卡 3–7 个工作日到账。", 3, "| 信用卡"),
        ),
        unsupported=("退货运费由我们承担。",),
        passages=(
            ("zh/returns/seven-day-return.md", "在汐井商城", "在汐井商城", "在汐井商城"),
            ("zh/returns/seven-day-return.md", "## 退货条件", "- 主机", "- 主机"),
            ("zh/returns/refund-deadline.md", "退回的商品", "退回的商品", "| 付款方式"),
            ("zh/returns/return-shipping-2025.md", "", "", ""),
            ("zh/internal/compensation-limits.md", "不得向顾客", "不得向顾客", "| 级别"),
        ),
    ),
}

HOSTILE = (
    "<img src=x onerror=alert(1)> ![logo](http://example.invalid/a.png) [click](http://example.invalid) "
    "<script>document.title='owned'</script> $x^2$ :red[colour] ends here."
)


NEW_ADDRESS: Mapping[Language, str] = {
    "en": "Pay the return fee at https://tidewell-pay.example.net/fee or call 0900 555 0147.",
    "zh": "退货运费请在 https://tidewell-pay.example.net/fee 支付，或致电 0900 555 0147。",
}
"""A sentence of a document that came after the last confirmation."""


@cache
def document(name: str) -> Document:
    """Read one article of the sample knowledge base."""
    found = next(iter(load(KNOWLEDGE / name, KNOWLEDGE, Limits(1_000_000))))
    assert isinstance(found, Document), found
    return found


def evidence(language: Language) -> tuple[Evidence, ...]:
    """Cut the passages out of their articles; a focus goes to the next empty line."""
    return tuple(_passage(number, *place) for number, place in enumerate(WORDS[language].passages, 1))


def _passage(number: int, name: str, first: str, focus: str, last: str) -> Evidence:
    article = document(name)
    text = article.text
    start = text.index(first) if first else 0
    focus_start = text.index(focus, start) if focus else start
    focus_end = _paragraph_end(text, focus_start)
    end = _paragraph_end(text, text.index(last, start)) if last else _paragraph_end(text, focus_end + 2)
    section = text[:focus_start].rpartition("\n## ")[2].partition("\n")[0] if "\n## " in text[:focus_start] else ""
    return Evidence(
        number=number,
        document_id=article.document_id,
        document_path=article.path,
        title=article.title,
        heading_path=(article.title, *([section] if section else [])),
        text=text[start:end],
        start=start,
        end=end,
        focus_start=focus_start,
        focus_end=focus_end,
        language=article.language,
        updated_on=article.updated_on,
        audience=article.audience,
        source=article.source,
        expired_on=date(2026, 3, 31) if "2025" in name else None,
        quoted=(TextSpan(focus_start, focus_end),) if number <= 2 else (),
    )


def _paragraph_end(text: str, start: int) -> int:
    end = text.find("\n\n", start)
    return len(text) if end < 0 else end


def complete_answer(language: Language) -> Answer:
    """Return the scripted answer with citations into the passages and one sentence without support."""
    words = WORDS[language]
    passages = evidence(language)
    return Answer(
        text=words.answer,
        language=language,
        refused=False,
        thinking=words.thinking,
        citations=tuple(_citation(words.answer, *said, passages) for said in words.said),
        unsupported=tuple(_span(words.answer, sentence) for sentence in words.unsupported),
        spans=tuple(
            SpanTime(name, ms)
            for name, ms in (
                ("embed", 6.0),
                ("search", 14.0),
                ("pack", 1.2),
                ("wait", 6020.0),
                ("load", 0.0),
                ("prompt", 1240.0),
                ("thinking", 4010.0),
                ("answer", 9310.0),
                ("citations", 3.0),
                ("total", 20610.0),
            )
        ),
        model="stand-in:1.5b",
        stand_in=True,
        generation=12,
    )


def unconfirmed_answer(language: Language) -> tuple[tuple[Evidence, ...], Answer]:
    """Return passages of which the first names new addresses, and the answer that passes them on."""
    first, *others = evidence(language)
    added = f"\n\n{NEW_ADDRESS[language]}"
    start = first.end + len("\n\n")
    end = first.end + len(added)
    first = replace(first, text=first.text + added, end=end, unconfirmed=(TextSpan(start, end),))
    whole = complete_answer(language)
    marked = TextSpan(len(whole.text) + len("\n\n"), len(whole.text) + len(added))
    citation = Citation(
        start=marked.start,
        end=marked.end,
        document_id=first.document_id,
        document_path=first.document_path,
        quote=NEW_ADDRESS[language],
        quote_start=start,
        quote_end=end,
    )
    answer = replace(
        whole,
        text=whole.text + added,
        citations=(*whole.citations, citation),
        unsupported=(),
        unconfirmed=(marked,),
    )
    return (first, *others), answer


FIGURE_WORDS: Mapping[Language, tuple[str, str]] = {
    "en": ("Figure 2: What the app shows while the cleaner is not reached", "Error E-42: no connection"),
    "zh": ("图2：连接不上清洁器时应用显示的内容", "错误 E-42：无法连接"),
}
"""The caption of a picture, and the words in it."""


@cache
def figure(language: Language) -> tuple[Figure, bytes]:
    """Draw a picture of an article, as an ingest keeps it; its place is that in ``illustrated``."""
    caption, words = FIGURE_WORDS[language]
    drawn = Image.new("RGB", (960, 540), "#e8edf2")
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((120, 90, 840, 450), fill="white", outline="#345")
    pen.rectangle((120, 90, 840, 150), fill="#345")
    font = ImageFont.truetype("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 40)
    pen.text((170, 250), words, "#900", font)
    buffer = io.BytesIO()
    drawn.save(buffer, "WEBP")
    start = evidence(language)[0].end + len("\n\n")
    mark = _mark(language)
    digest = sha256(buffer.getvalue()).hexdigest()
    place = Figure(digest, start, start + len(mark), 960, 540, page=3, caption=caption, words=words)
    return place, buffer.getvalue()


def _mark(language: Language) -> str:
    caption, words = FIGURE_WORDS[language]
    return f"[图：{caption}；{words}]" if language == "zh" else f"[Figure: {caption}; {words}]"


def illustrated(language: Language) -> tuple[Evidence, ...]:
    """Return passages of which the first has a picture, and the second one that is not there any more."""
    first, second, *others = evidence(language)
    shown, _ = figure(language)
    first = replace(first, text=f"{first.text}\n\n{_mark(language)}", end=shown.end, figures=(shown,))
    gone = replace(shown, digest="0" * 64, start=second.start, end=second.end)
    return first, replace(second, figures=(gone,)), *others


CODED_TEXT: Mapping[Language, str] = {
    "en": """| 18019 | More than 1000 numbers at once | https://help.tidewell.example/messages/introduction/limits |

Run `shop update`:
```sh
shop update

shop sync
```

""",
    "zh": """| 18019 | 单次提交的号码超过一千个 | https://help.tidewell.example/messages/introduction/limits |

执行 `shop update`：
```sh
shop update

shop sync
```

""",
}
"""A row with a long address, code, and behind it a table that is wider than the evidence."""

_WIDE_TABLE = "| " + " | ".join(str(number) * 6 for number in range(1, 13)) + " |\n"


def coded(language: Language) -> tuple[Evidence, ...]:
    """Return passages of which the last has tables and code."""
    passages = evidence(language)
    text = CODED_TEXT[language] + _WIDE_TABLE
    last = replace(passages[-1], number=len(passages) + 1, text=text, start=0, end=len(text), focus_start=0)
    return *passages, replace(last, focus_end=len(text))


def _span(text: str, sentence: str) -> TextSpan:
    start = text.index(sentence)
    return TextSpan(start, start + len(sentence))


def _citation(text: str, sentence: str, number: int, quote: str, passages: Sequence[Evidence]) -> Citation:
    passage = passages[number - 1]
    start = passage.text.index(quote)
    line = passage.text[start:].split("\n")[0]
    end = start + (line.index(". ") + 1 if ". " in line else line.index("。") + 1 if "。" in line else len(line))
    span = _span(text, sentence)
    return Citation(
        start=span.start,
        end=span.end,
        document_id=passage.document_id,
        document_path=passage.document_path,
        quote=passage.text[start:end],
        quote_start=passage.start + start,
        quote_end=passage.start + end,
    )


def refusal(language: Language) -> Answer:
    """Return the answer that no model was asked for."""
    text = {
        "en": "The knowledge base does not hold a reliable answer to this question.",
        "zh": "知识库中没有可靠答案。",
    }
    return Answer(
        text=text[language],
        language=language,
        refused=True,
        thinking="",
        citations=(),
        unsupported=(),
        spans=(SpanTime("embed", 6.0), SpanTime("search", 14.0), SpanTime("total", 24.0)),
        model="",
        stand_in=False,
        generation=12,
    )


def kept_answer(language: Language, lane: Lane) -> Answer:
    """Return an answer that was there already: the scripted one without the sentence that nothing supports."""
    whole = complete_answer(language)
    (doubtful,) = whole.unsupported
    text = whole.text[: doubtful.start].rstrip("- \n") if lane == "curated" else whole.text
    author = {"en": "Lin", "zh": "王"}[language] if lane == "curated" else ""
    return replace(
        whole,
        text=text,
        thinking="",
        citations=tuple(one for one in whole.citations if one.end <= len(text)),
        unsupported=(),
        spans=(SpanTime("search", 0.4), SpanTime("citations", 1.1), SpanTime("total", 1.6)),
        model="" if lane == "curated" else whole.model,
        stand_in=lane != "curated",
        lane=lane,
        origin=Origin("2026-08-01T09:30:00+00:00", 12, author, 1 if lane == "curated" else 0),
    )


def answer_with_quotation(language: Language) -> Answer:
    """Return an answer below which the second passage is quoted, which it does not cite."""
    whole = complete_answer(language)
    passages = [replace(one, below_reply=one.quoted if one.number == 2 else ()) for one in evidence(language)]
    quoted = with_quotation(whole.text, passages, language)
    assert quoted is not None
    return replace(whole, text=quoted.text, citations=(*whole.citations, *quoted.citations), quotation=quoted.span)


def quotation(language: Language, instead_of: str) -> Answer:
    """Return the answer that the passages give in their own words."""
    quoted = [passage for passage in evidence(language) if passage.quoted]
    return replace(
        complete_answer(language),
        text=quoted_text(quoted),
        thinking="",
        citations=quoted_citations(quoted),
        unsupported=(),
        spans=(SpanTime("embed", 6.0), SpanTime("search", 14.0), SpanTime("pack", 1.2), SpanTime("total", 24.0)),
        model="",
        stand_in=False,
        lane="quotation",
        instead_of=instead_of,
    )


def quotation_for_reply(language: Language) -> Answer:
    """Return the passages' own words in the place of a reply that they do not support."""
    reply = complete_answer(language)
    return replace(quotation(language, ""), model=reply.model, stand_in=reply.stand_in)


def hostile_answer(language: Language) -> Answer:
    """Return an answer full of what must stay mere characters."""
    whole = complete_answer(language)
    return Answer(
        text=HOSTILE,
        language=language,
        refused=False,
        thinking="<b>bold thought</b>",
        citations=(),
        unsupported=(TextSpan(0, len(HOSTILE)),),
        spans=whole.spans,
        model=whole.model,
        stand_in=True,
        generation=12,
    )


def steps(scene: str, language: Language) -> list[Step]:
    """Return a scene's events; a string is the gate to wait at."""
    found = Retrieved(evidence(language), answerable=True, answerable_probability=0.9, generation=12)
    words = WORDS[language]
    half = len(words.answer) // 2
    if scene == "refused":
        near = Retrieved(evidence(language)[:3], answerable=False, answerable_probability=0.1, generation=12)
        return ["search", near, "end", Completed(refusal(language))]
    if scene == "hostile":
        text = HOSTILE
        return ["search", found, ThinkingDelta("<b>bold thought</b>"), AnswerDelta(text), "end",
                Completed(hostile_answer(language))]  # fmt: skip
    if scene == "unconfirmed":
        passages, answer = unconfirmed_answer(language)
        return ["search", replace(found, evidence=passages), "end", Completed(answer)]
    if scene in ("illustrated", "coded"):
        passages = illustrated(language) if scene == "illustrated" else coded(language)
        return ["search", replace(found, evidence=passages), "end", Completed(complete_answer(language))]
    if scene in ("curated", "cached", "quoted_below"):
        answer = answer_with_quotation(language) if scene == "quoted_below" else kept_answer(language, scene)
        return [found, Completed(answer)]
    if scene in QUOTED:
        quoted = quotation_for_reply(language) if scene == "quoted_for_reply" else quotation(language, QUOTED[scene])
        return ["search", found, "queue", Completed(quoted)]
    if scene in EARLY:
        return ["search", EARLY[scene]]
    start: list[Step] = ["search", found, "queue"]
    if scene in LATE:
        return [*start, LATE[scene]]
    story: list[Step] = [
        *start,
        Queued(2, 32.0),
        "line",
        Queued(1, None),
        "read",
        Queued(0, 0.0),
        "think",
        ThinkingDelta(words.thinking),
        "write",
        AnswerDelta(words.answer[:half]),
        "more",
    ]
    if scene == "halfway":
        return [*story, ModelStoppedHalfway(partial_text=words.answer[:half])]
    return [*story, AnswerDelta(words.answer[half:]), "end", Completed(complete_answer(language))]


QUOTED: Mapping[str, str] = {
    "quoted_queue_full": "QueueFull",
    "quoted_ollama_down": "OllamaUnavailable",
    "quoted_for_reply": "",
}
EARLY: Mapping[str, AnswerdeskError | Exception] = {
    "no_knowledge": KnowledgeBaseMissing(folder="/srv/secret/knowledge"),
    "other_embedder": EmbedderMismatch(found="hash-64", expected="multilingual-e5-small"),
    "broken": RuntimeError("an unforeseen thing in /srv/secret"),
}
LATE: Mapping[str, AnswerdeskError] = {
    "ollama_down": OllamaUnavailable(host="127.0.0.1:11434"),
    "model_missing": ModelMissing(model="deepseek-r1:1.5b"),
    "timed_out": ModelTimedOut(seconds=60.0),
    "queue_full": QueueFull(waiting=64),
}
