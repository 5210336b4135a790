"""A turn's snapshot as the plain data that components draw, the reply editor included, in the page's language.

The verdict says how far an answer can be trusted and where it comes from, the notice why there is none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import lru_cache
from types import MappingProxyType

from rag import errors
from rag.errors import AnswerdeskError
from rag.evidence.packing import best_match
from rag.evidence.quotation import cites_best_match, quoted_lines
from rag.generation.measured_languages import language_note
from rag.generation.reply_languages import reply_language
from rag.grounding.conflicts import find_conflicts
from rag.schema import Answer, Citation, Conflict, Evidence, Figure, Language, Origin, SpanTime, TextSpan
from rag.text.characters import one_line, web_address, without_invisible
from rag.text.language import customer_language, third_language
from rag.text.markup import row_words, without_list_mark
from rag.translate import is_known, translate
from rag.turns import Failure, TurnSnapshot
from ui.blocks import (
    Block,
    Mark,
    PassageBlock,
    PassageRun,
    Run,
    Sentence,
    answer_blocks,
    judged_sentences,
    passage_blocks,
    passage_number,
    plain_text,
)
from ui.figure_route import figure_address
from ui.formats import format_clock, format_date, format_duration

Data = dict[str, object]

_FAILURES_OF_THE_ASKER = {"QuestionEmpty", "QuestionTooLong", "QuestionWithoutWords", "PromptTooLong", "OwnQueueFull"}
_WITH_NUMBERS = {
    "OwnQueueFull",
    "QuestionsTooFast",
    "OwnFilesWaiting",
    "UploadsUsedUp",
    "QuestionTooLong",
}  # of one's own
_ALWAYS_TIMED = ("embed", "search", "wait", "prompt", "thinking", "answer", "total")
_WORTH_TELLING_MS = 50.0
_FIGURE_NAME_CHARACTERS = 200
_REMEMBERED_PASSAGES = 256  # the socket, the page's run and its next one each draw the same


def announcement(snapshot: TurnSnapshot, language: Language) -> str:
    """Return the announcement to screen readers when the turn reaches this state."""
    if snapshot.state == "done" and snapshot.answer is not None and snapshot.answer.unsupported:
        return translate("ui.done_unsupported", language, count=len(snapshot.answer.unsupported))
    if snapshot.state == "failed" and snapshot.failure is not None:
        return _failure_words(snapshot.failure, snapshot.language, language)
    if snapshot.state == "queued":
        return ""  # the place is said by the browser, when it changes
    return translate(f"ui.{snapshot.state}", language)


def failure_sentence(failure: Failure, language: Language) -> str:
    """Return why something failed, without the paths, host names and commands that a terminal shows."""
    if failure.kind in _WITH_NUMBERS and failure.en:
        return failure.sentence(language)
    kind = getattr(errors, failure.kind, AnswerdeskError)
    return next(
        translate(f"ui.error_{cls.__name__}", language) for cls in kind.__mro__ if is_known(f"ui.error_{cls.__name__}")
    )


def _failure_words(failure: Failure, question_language: Language, language: Language) -> str:
    """Return why a turn ended early; an unforeseen error's own sentence, for it has the number to look for in the log.

    A turn from the store has that sentence in the question's language only.
    """
    known = failure.en != failure.zh or question_language == language
    if failure.kind == "TurnFailed" and known:
        return failure.sentence(language)
    return failure_sentence(failure, language)


def verdict(snapshot: TurnSnapshot, sentences: Sequence[Sentence], language: Language) -> Data | None:
    """Return in a word how far an answer can be trusted, or its origin; None without an answer."""
    if snapshot.state in ("refused", "stopped", "failed"):
        kind = "warning" if snapshot.state == "refused" else "bad"
        return {"kind": kind, "words": translate(f"ui.{snapshot.state}", language)}
    answer = snapshot.answer
    if snapshot.state != "done" or answer is None:
        return None
    if answer.origin is not None:
        return _origin_verdict(answer.origin, language, _caution_of_stored(snapshot, sentences))
    if not sentences:
        return None
    if answer.replaces_reply:
        return {"kind": "warning", "words": translate("ui.quoted_for_reply", language)}
    if answer.quoted and not answer.unconfirmed and _disagreement(snapshot) is None:
        return {"kind": "good", "words": translate("ui.quoted", language)}
    caution = _caution(snapshot, answer, sentences)
    words = translate(caution or "ui.every_sentence_found", language)
    return {"kind": "warning" if caution else "good", "words": words}


def _caution(snapshot: TurnSnapshot, answer: Answer, sentences: Sequence[Sentence]) -> str:
    """Return the catalogue's key of what is to be checked in the model's answer; empty if nothing is."""
    doubtful = {passage.number for passage in snapshot.evidence if not passage.may_be_passed_on}
    is_doubtful = any(one.unsupported or one.unconfirmed or doubtful.intersection(one.numbers) for one in sentences)
    if is_doubtful or _leaves_out_a_condition(answer):
        return "ui.check_marked"
    if _disagreement(snapshot) is not None:
        return "ui.sources_disagree"
    if answer.left_open:
        return "ui.partly_answered"
    if answer.third_language:
        return "ui.figures_compared"
    if answer.by_words_alone:
        return "ui.half_searched"
    return "ui.compare_best_match" if _passes_over_best_match(snapshot) else ""


def _leaves_out_a_condition(answer: Answer) -> bool:
    return any(citation.condition for citation in answer.citations)


def _disagreement(snapshot: TurnSnapshot) -> Conflict | None:
    """Return a conflict of two rules in force, where the answer or the best match rests on one of them."""
    if snapshot.answer is None:
        return None
    in_force = {passage.number for passage in snapshot.evidence if passage.is_in_force}
    used = {
        (passage.number, passage.words(TextSpan(citation.quote_start, citation.quote_end)))
        for passage in snapshot.evidence
        for citation in snapshot.answer.citations
        if passage.holds(citation)
    } | {
        (passage.number, passage.words(span))
        for passage in _passages_of_best_match(snapshot)
        for span in passage.quoted
    }  # fmt: skip
    for conflict in _conflicts(snapshot.evidence):
        sides = ((conflict.number, conflict.quote), (conflict.other_number, conflict.other_quote))
        if all(number in in_force for number, _ in sides) and any(
            number == side and (words in quote or quote in words) for number, words in used for side, quote in sides
        ):
            return conflict
    return None


def _passes_over_best_match(snapshot: TurnSnapshot) -> bool:
    """Tell whether an answer rests on other sentences than those that match the question best.

    Of 379 answers to customers' texts and the sample's questions .62 were right where a citation was in the best match,
    and .36 of the others.
    """
    best = _passages_of_best_match(snapshot)
    return snapshot.answer is not None and not cites_best_match(snapshot.answer.citations_of_reply, best)


def _caution_of_stored(snapshot: TurnSnapshot, sentences: Sequence[Sentence]) -> str:
    """Return the catalogue's key of what is to be checked in a stored answer; empty if nothing is."""
    if any(one.unsupported or one.unconfirmed for one in sentences):  # it names a contact that no document has
        return "ui.check_marked"
    answer = snapshot.answer
    if answer is None or answer.lane != "cached":
        return ""
    if _leaves_out_a_condition(answer):
        return "ui.check_marked"
    if _disagreement(snapshot) is not None:
        return "ui.sources_disagree"
    return "ui.compare_best_match" if _passes_over_best_match(snapshot) else ""


def _origin_verdict(origin: Origin, language: Language, caution: str) -> Data:
    words = _origin_words(origin, language)
    if caution:
        return {"kind": "warning", "words": f"{words} · {translate(caution, language)}"}
    return {"kind": "good", "words": words}


def _origin_words(origin: Origin, language: Language) -> str:
    """Return who wrote an answer and when, or what a repeated answer was checked against."""
    if origin.number == 0:
        return translate("ui.answered_before", language, generation=origin.generation)
    day = format_date(datetime.fromisoformat(origin.written_at).date(), language)
    if not origin.author:
        return translate("ui.written_by_colleague", language, date=day)
    return translate("ui.written_by", language, author=origin.author, date=day)


def notice(snapshot: TurnSnapshot, language: Language) -> Data | None:
    """Return why the answer is not the model's own, or why there is none; None if neither applies."""
    if snapshot.state == "refused":
        return {"kind": "info", "words": translate(_refusal_key(snapshot), language)}
    if snapshot.answer is not None and snapshot.answer.instead_of:
        failure = Failure(snapshot.answer.instead_of, "", "")
        return {"kind": "error", "words": failure_sentence(failure, language)}
    if snapshot.failure is None:
        return _notice_of_answer(snapshot, language)
    asker = snapshot.state == "stopped" or snapshot.failure.kind in _FAILURES_OF_THE_ASKER
    return {
        "kind": "info" if asker else "error",
        "words": _failure_words(snapshot.failure, snapshot.language, language),
    }


def _notice_of_answer(snapshot: TurnSnapshot, language: Language) -> Data | None:
    if snapshot.answer is not None and snapshot.answer.by_words_alone:
        return {"kind": "error", "words": translate("ui.by_words_alone", language)}
    conflict = _disagreement(snapshot) if snapshot.state == "done" else None
    if conflict is None:
        is_quoted = snapshot.answer is not None and snapshot.answer.replaces_reply
        return {"kind": "info", "words": translate("ui.quoted_for_reply_why", language)} if is_quoted else None
    said = {"quote": conflict.quote, "other_quote": conflict.other_quote}
    plain = {name: _plain_quote(words) for name, words in said.items()}
    numbers = {"number": conflict.number, "other": conflict.other_number}
    return {"kind": "warning", "words": translate("ui.sources_disagree_how", language, **numbers, **plain)}


def doubt(passage: Evidence, language: Language) -> str:
    """Return why a passage should not be passed on as it is; an empty string where it may be."""
    if passage.audience == "internal":
        return translate("ui.internal", language)
    return validity_note(passage, language)


def validity_note(passage: Evidence, language: Language) -> str:
    """Return until or from when a passage's rule holds, if not now; else an empty string."""
    expired = date_words("expired_on", passage.expired_on, language)
    return expired or date_words("starts_on", passage.starts_on, language)


def date_words(key: str, day: date | None, language: Language) -> str:
    """Return words with a date in them; an empty string without a date."""
    return translate(f"ui.{key}", language, date=format_date(day, language)) if day is not None else ""


_conflicts = lru_cache(maxsize=64)(find_conflicts)


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads: the page's language, the browser's clock, and where the page is."""

    language: Language
    now: datetime
    zone: tzinfo
    address: str = ""

    def clock(self, at: datetime) -> str:
        """Write a moment as ``format_clock`` does, by the reader's own clock."""
        return format_clock(at.astimezone(self.zone), self.now, self.language)


def feed_data(snapshot: TurnSnapshot) -> Data:
    """Return the data that change while a turn runs; small, for they are sent several times a second."""
    return {
        "turn": snapshot.turn_id,
        "version": snapshot.version,
        "state": snapshot.state,
        "final": snapshot.final,
        "text": snapshot.text,
        "thinking": snapshot.thinking,
        "lang": _text_language(snapshot),
        "ahead": snapshot.ahead,
        "wait": snapshot.wait_seconds,
        "found": len(snapshot.evidence),
        "stages": [[stage.name, round(stage.duration_ms)] for stage in _stages(snapshot)],
        "stage_ms": round(snapshot.stage_ms),
    }


def _text_language(snapshot: TurnSnapshot) -> str:
    """Return the answer's language, present or expected."""
    if snapshot.answer is not None:
        return snapshot.answer.text_language
    return third_language(snapshot.question) or snapshot.language


def _language_name(snapshot: TurnSnapshot, language: Language) -> str:
    third = third_language(snapshot.question)
    if not third:
        return translate(f"ui.language_{snapshot.language}", language)
    return reply_language(third).chinese if language == "zh" else reply_language(third).english


def _stages(snapshot: TurnSnapshot) -> tuple[SpanTime, ...]:
    """Return the stages that took time; one that was entered twice stands where it was left last."""
    durations: dict[str, float] = {}
    for stage in snapshot.stages:
        durations[stage.name] = durations.pop(stage.name, 0.0) + stage.duration_ms
    return tuple(SpanTime(name, ms) for name, ms in durations.items() if ms >= _WORTH_TELLING_MS)


def answer_data(snapshot: TurnSnapshot, reading: Reading) -> Data:
    """All data about a turn's answer."""
    language = reading.language
    sentences = _sentences(snapshot)
    return {
        "feed": feed_data(snapshot),
        "question": snapshot.question,
        "question_lang": customer_language(snapshot.question),
        "asked_at": reading.clock(snapshot.asked_at),
        "said": announcement(snapshot, language),
        "best": _best_match(snapshot),
        "verdict": verdict(snapshot, sentences, language),
        "notice": notice(snapshot, language),
        "blocks": _blocks(snapshot, sentences) if snapshot.final else [],
        "quotation": _quotation(snapshot) if snapshot.final else "",
        "sentences": [_sentence_data(sentence, snapshot, language) for sentence in sentences],
        "times": _times(snapshot, language),
        "made_by": _model_words(snapshot, language),
        "language_note": language_note(snapshot.answer, language) if snapshot.answer is not None else "",
        "stand_in": translate("ui.stand_in", language)
        if snapshot.answer is not None and snapshot.answer.stand_in
        else "",
    }


def _best_match(snapshot: TurnSnapshot) -> Data | None:
    """Return the sentences that can be used before the model has spoken; None where the answer is just these, or none.

    Beside a refusal by the model they can only be read.  ``compared`` tells that the answer rests on none of them.
    """
    excerpts: list[Data] = [
        {
            "number": passage.number,
            "passage": f"{passage.number} · {one_line(passage.title)}",
            "text": plain_text("\n".join(line.text for line in quoted_lines(passage))),
            "lang": passage.language,
            "unconfirmed": any(
                span.start < line.span.end and line.span.start < span.end
                for span in passage.unconfirmed
                for line in quoted_lines(passage)
            ),
        }
        for passage in _passages_of_best_match(snapshot)
    ]
    text = "\n\n".join(str(one["text"]) for one in excerpts)
    usable, compared = snapshot.state != "refused", _passes_over_best_match(snapshot)
    return {"excerpts": excerpts, "text": text, "usable": usable, "compared": compared} if excerpts else None


def _passages_of_best_match(snapshot: TurnSnapshot) -> list[Evidence]:
    """Return the passages that the best match quotes.

    Of 22 refusals by the model of questions that the documents answer, it held the answer to 9, so it stays.  What is
    not to be quoted to a customer is never the best match, nor a rule of another time than the question's.
    """
    is_quoted = snapshot.answer is not None and snapshot.answer.quoted
    is_refused_unread = snapshot.state == "refused" and not _is_refused_by_model(snapshot)
    if snapshot.answerable is False or is_quoted or is_refused_unread:
        return []
    return best_match(snapshot.evidence, snapshot.question, snapshot.asked_at.date())


def _refusal_key(snapshot: TurnSnapshot) -> str:
    """Return the catalogue's key of what is said of a refusal."""
    if not _is_refused_by_model(snapshot):
        return "ui.refused_why"
    return "ui.see_best_match" if _passages_of_best_match(snapshot) else "ui.refused_by_model"


def _is_refused_by_model(snapshot: TurnSnapshot) -> bool:
    return snapshot.answer is not None and snapshot.answer.refused and bool(snapshot.answer.model)


def evidence_data(
    snapshot: TurnSnapshot, language: Language, translations: Mapping[int, Data] = MappingProxyType({})
) -> Data:
    """Return the passages with the stretches that the answer rests on, and their ``translations`` by number."""
    sentences = _sentences(snapshot)
    conflicts = _conflicts(snapshot.evidence)
    refused = snapshot.state == "refused" or snapshot.answerable is False
    return {
        "turn": snapshot.turn_id,
        "searching": not snapshot.evidence and not snapshot.final,
        "note": translate("ui.near_not_enough", language) if refused and snapshot.evidence else "",
        "passages": [
            {
                **_passage_data(passage, _marks(passage, snapshot, sentences), language),
                "conflicts": _conflict_lines(passage, conflicts, language),
                "figures": [_figure_data(figure, snapshot.knowledge_base, language) for figure in passage.figures],
                "translation": translations.get(passage.number),
            }
            for passage in snapshot.evidence
        ],
    }


def _figure_data(figure: Figure, knowledge_base: str, language: Language) -> Data:
    """Return a picture's address and description."""
    place = translate("ui.figure_page", language, page=figure.page) if figure.page else translate("ui.figure", language)
    name = one_line(figure.caption or figure.alt or figure.words)[:_FIGURE_NAME_CHARACTERS]
    return {
        "address": figure_address(knowledge_base, figure.digest),
        "width": figure.width,
        "height": figure.height,
        "name": name or place,
        "place": place if name else "",
        "enlarge": translate("ui.figure_enlarge", language, name=name or place),
    }


def _conflict_lines(passage: Evidence, conflicts: Sequence[Conflict], language: Language) -> list[str]:
    """Return the contradicting passages and what they say."""
    lines = []
    for conflict in conflicts:
        said = {conflict.number: conflict.quote, conflict.other_number: conflict.other_quote}
        if passage.number in said:
            other = conflict.other_number if passage.number == conflict.number else conflict.number
            lines.append(translate("ui.conflict", language, number=other, quote=_plain_quote(said[other])))
    return lines


def _plain_quote(words: str) -> str:
    """Return a sentence without its list mark, and of a table's row the cells with points between them."""
    is_row = words.lstrip().startswith("|")
    return without_list_mark(plain_text(" · ".join(row_words(words)) if is_row else words))


def _sentences(snapshot: TurnSnapshot) -> tuple[Sentence, ...]:
    return judged_sentences(snapshot.answer, snapshot.evidence) if snapshot.answer is not None else ()


def _times(snapshot: TurnSnapshot, language: Language) -> list[list[str]]:
    """Where the time went: the pipeline's own spans of a complete answer, else what was measured so far."""
    spans = snapshot.answer.spans if snapshot.answer is not None else _stages(snapshot)
    labels: Mapping[str, str] = {span.name: translate(f"ui.time_{span.name}", language) for span in spans}
    return [
        [span.name, labels[span.name], format_duration(span.duration_ms, language)]
        for span in spans
        if span.name in _ALWAYS_TIMED or span.duration_ms >= _WORTH_TELLING_MS
    ]


def _model_words(snapshot: TurnSnapshot, language: Language) -> str:
    answer = snapshot.answer
    if answer is None:
        return ""
    if not answer.model:
        return translate("ui.made_without_model", language, generation=answer.generation)
    return translate("ui.made_by", language, model=answer.model, generation=answer.generation)


def _blocks(snapshot: TurnSnapshot, sentences: Sequence[Sentence]) -> list[Data]:
    quotation = snapshot.answer.quotation if snapshot.answer is not None else None
    return [_block_data(block) for block in answer_blocks(snapshot.text, sentences, quotation)]


def _quotation(snapshot: TurnSnapshot) -> str:
    """Return the quotation below the reply with the line that introduces it, as the reply editor has them."""
    quotation = snapshot.answer.quotation if snapshot.answer is not None else None
    if quotation is None:
        return ""
    introduction = snapshot.text.rfind("\n", 0, quotation.start - 1) + 1
    return plain_text(snapshot.text[introduction : quotation.end])


def _block_data(block: Block) -> Data:
    return {
        "kind": block.kind,
        "first": block.first_number,
        "language": block.language,
        "quoted": block.quoted,
        "items": [[_run_data(run) for run in item] for item in block.items],
    }


def _run_data(run: Run) -> Data:
    data: Data = {"t": run.text}
    if run.bold:
        data["b"] = 1
    if run.code:
        data["c"] = 1
    if run.sentence is not None:
        data["s"] = run.sentence
    return data


def _sentence_data(sentence: Sentence, snapshot: TurnSnapshot, language: Language) -> Data:
    passages = {passage.number: passage for passage in snapshot.evidence}
    citations = _citations(sentence, snapshot)
    headings = {number: one.heading for one, number in reversed(citations) if one.heading}
    return {
        "text": plain_text(sentence.text),
        "unsupported": sentence.unsupported,
        "unconfirmed": sentence.unconfirmed,
        "conditions": [
            translate("ui.left_out_condition", language, words=plain_text(one_line(condition)))
            for condition in dict.fromkeys(one.condition for one, _ in citations if one.condition)
        ],
        "cites": [
            [
                number,
                translate("ui.citation", language, number=number, title=one_line(passages[number].title)),
                doubt(passages[number], language),
                one_line(headings.get(number, "")),
            ]
            for number in sentence.numbers
        ],
    }


def _citations(sentence: Sentence, snapshot: TurnSnapshot) -> list[tuple[Citation, int]]:
    """Return a sentence's citations, each with its passage's number."""
    citations = snapshot.answer.citations if snapshot.answer is not None else ()
    return [
        (one, number)
        for one in citations
        if (one.start, one.end) == (sentence.start, sentence.end)
        and (number := passage_number(one, snapshot.evidence)) is not None
    ]


@lru_cache(maxsize=_REMEMBERED_PASSAGES)
def _passage_data(passage: Evidence, marks: tuple[Mark, ...], language: Language) -> Data:
    return {
        "number": passage.number,
        "title": one_line(passage.title),
        "headings": " › ".join(passage.headings),
        "lang": passage.language,
        "date": date_words("updated_on", passage.updated_on, language),
        "expired": validity_note(passage, language),
        "internal": translate("ui.internal", language) if passage.audience == "internal" else "",
        "unconfirmed": translate("ui.unconfirmed", language) if passage.unconfirmed else "",
        "cited": _citation_words(len({mark.sentence for mark in marks}), language),
        "blocks": [
            _passage_block_data(block)
            for block in passage_blocks(passage, marks)
            if block.kind != "heading" or block.plain_text not in (passage.title, *passage.heading_path)
        ],
    }


def _marks(passage: Evidence, snapshot: TurnSnapshot, sentences: Sequence[Sentence]) -> tuple[Mark, ...]:
    index_of = {(sentence.start, sentence.end): sentence.index for sentence in sentences}
    return tuple(
        Mark(citation.quote_start, citation.quote_end, index_of[citation.start, citation.end])
        for citation in (snapshot.answer.citations if snapshot.answer is not None else ())
        if passage_number(citation, snapshot.evidence) == passage.number
    )


def _citation_words(count: int, language: Language) -> str:
    if count == 0:
        return ""
    return translate("ui.cited_once", language) if count == 1 else translate("ui.cited_often", language, count=count)


def _passage_block_data(block: PassageBlock) -> Data:
    return {
        "kind": block.kind,
        "marker": block.marker,
        "head": block.has_head,
        "rows": [[[_passage_run_data(run) for run in cell] for cell in row] for row in block.rows],
    }


def _passage_run_data(run: PassageRun) -> list[object]:
    """Return a stretch's text, whether the search found it, its sentences, and a 1 where nobody has confirmed it."""
    data: list[object] = [run.text, int(run.focus), list(run.sentences)]
    return [*data, 1] if run.unconfirmed else data


def reply_data(snapshot: TurnSnapshot, reading: Reading) -> Data | None:
    """Return the reply editor's content: the answer, its part so far, or the handoff note.

    Empty while the answer is still coming, or where nothing came: the best match can be used all the same.  None where
    there is nothing to use.
    """
    language = reading.language
    if snapshot.state == "refused":
        return {
            "turn": snapshot.turn_id,
            "mode": "handoff",
            "heading": translate("ui.handoff", language),
            "lang": language,
            "text": handoff_note(snapshot, reading),
            "sources": "",
        }
    text = plain_text(snapshot.text) if snapshot.final else ""
    if not text.strip() and not any(passage.quoted for passage in snapshot.evidence):
        return None
    return {
        "turn": snapshot.turn_id,
        "mode": "reply",
        "heading": translate("ui.reply_incomplete" if text and snapshot.answer is None else "ui.reply", language),
        "lang": _text_language(snapshot),
        "text": text,
        "sources": _sources(snapshot),
        "sources_heading": translate("ui.sources", snapshot.language),
        "more_sources": _sources_of_best_match(snapshot),
        "unconfirmed": [
            plain_text(passage.words(span)) for passage in snapshot.evidence for span in passage.unconfirmed
        ],
    }


def handoff_note(snapshot: TurnSnapshot, reading: Reading) -> str:
    """Return plain text for the person who takes the question over."""
    language = reading.language
    asked_at = snapshot.asked_at.astimezone(reading.zone)
    lines = [
        translate("ui.handoff_question", language, question=without_invisible(snapshot.question)),
        translate("ui.handoff_language", language, name=_language_name(snapshot, language)),
        translate("ui.handoff_asked_at", language, time=f"{asked_at:%Y-%m-%d %H:%M}"),
        translate("ui.handoff_searched", language, generation=snapshot.generation),
    ]
    if snapshot.evidence:
        nearest = dict.fromkeys(one_line(passage.title) for passage in snapshot.evidence)
        lines += [translate("ui.handoff_nearest", language), *(f"- {title}" for title in nearest)]
    if reading.address:
        lines.append(translate("ui.handoff_link", language, link=f"{reading.address}/?turn={snapshot.turn_id}"))
    if snapshot.answer is not None and snapshot.answer.stand_in:
        lines.append(translate("ui.stand_in", language))
    return "\n".join(lines)


def _sources(snapshot: TurnSnapshot) -> str:
    """Return the cited documents, for a reply that leaves with its sources; internal ones stay here.

    Each is a title with the heading that the reply does not name, if any.  A turn that an older version recorded may
    have anything as title and source.
    """
    if snapshot.answer is None:
        return ""
    lines = [
        _source_line(passage, citation.heading)
        for passage in snapshot.evidence
        for citation in snapshot.answer.citations
        if passage.holds(citation) and passage.audience == "public"
    ]
    heading = translate("ui.sources", snapshot.language)
    return "\n".join([heading, *dict.fromkeys(lines)]) if lines else ""


def _source_line(passage: Evidence, heading: str = "") -> str:
    titles = " › ".join(filter(None, (one_line(passage.title), one_line(heading))))
    return f"- {titles} {web_address(passage.source)}".rstrip()


def _sources_of_best_match(snapshot: TurnSnapshot) -> list[list[object]]:
    """Return the best match's lines by document with its line among the sources, where the answer does not cite it.

    A reply that has one of the lines leaves with that source, too.
    """
    cited = {citation.document_id for citation in (snapshot.answer.citations if snapshot.answer is not None else ())}
    return [
        [[plain_text(line.text) for line in quoted_lines(passage)], _source_line(passage)]
        for passage in _passages_of_best_match(snapshot)
        if passage.document_id not in cited and passage.audience == "public"
    ]
