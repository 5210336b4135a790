"""Prints an answer's events in a terminal: passages, dimmed thinking, answer with notes, times."""

from collections.abc import Iterable
from typing import TextIO

from rag.generation.measured_languages import language_note
from rag.generation.output_filter import without_preamble
from rag.grounding.citations import ground
from rag.grounding.conflicts import find_conflicts
from rag.schema import (
    Answer,
    AnswerDelta,
    Citation,
    Completed,
    Event,
    Evidence,
    Language,
    Queued,
    Retrieved,
    TextSpan,
    ThinkingDelta,
)
from rag.text.sentences import split_sentences
from rag.translate import translate

_DIM, _BOLD, _WARN, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[33m", "\x1b[0m"
_UNSUPPORTED = "[?]"
_UNCONFIRMED = "[!]"
_QUOTE_CHARACTERS = 160
_PASSAGES_SHOWN = 3
"""So many are shown with their words, the others by title."""


class AnswerPrinter:
    """Writes events as they come.  ``language`` is the terminal's; ``color`` allows escape sequences."""

    def __init__(self, out: TextIO, language: Language, question: str, *, color: bool) -> None:
        self._out = out
        self._language = language
        self._question = question
        self._color = color
        self._evidence: tuple[Evidence, ...] = ()
        self._text = ""
        self._printed = 0
        self._noted = 0
        self._is_thinking = False

    def show(self, event: Event) -> None:
        """Write one event."""
        match event:
            case Retrieved():
                self._show_evidence(event)
            case Queued(ahead=ahead, wait_seconds=seconds) if ahead:
                wait = translate("ask.wait", self._language, seconds=seconds) if seconds is not None else ""
                self._line(self._styled(translate("ask.queued", self._language, ahead=ahead, wait=wait), _DIM))
            case ThinkingDelta(text=text):
                self._is_thinking = True
                self._write(self._styled(text, _DIM))
            case AnswerDelta(text=text):
                self._end_thought()
                self._stream(text)
            case Completed(answer=answer):
                self._end_thought()
                self._complete(answer)

    def interrupt(self) -> None:
        """End the line of an interrupted answer."""
        if self._text or self._is_thinking:
            self._line("")

    def _show_evidence(self, event: Retrieved) -> None:
        before, self._evidence = self._evidence, event.evidence
        new = event.evidence[len(before) :]
        if not new:
            return
        heading = "ask.more_evidence" if before else "ask.evidence" if event.answerable else "ask.near"
        self._line(translate(heading, self._language))
        for passage in new:
            self._line(self._styled(f"  [{passage.number}] {self._title(passage)}", _DIM))
            if passage.number <= _PASSAGES_SHOWN:
                found = passage.quoted or (TextSpan(passage.focus_start, passage.focus_end),)
                self._line(self._styled(f"      {shortened(one_line(' '.join(map(passage.words, found))))}", _DIM))
        for conflict in find_conflicts(event.evidence):
            numbers = {"number": conflict.number, "other": conflict.other_number}
            quotes = {"quote": one_line(conflict.quote), "other_quote": one_line(conflict.other_quote)}
            self._line(self._styled(f"  {translate('ask.conflict', self._language, **numbers, **quotes)}", _WARN))
        self._line("")

    def _title(self, passage: Evidence) -> str:
        notes = []
        if passage.expired_on is not None:
            notes.append(translate("ask.expired", self._language, date=passage.expired_on.isoformat()))
        if passage.starts_on is not None:
            notes.append(translate("ask.starts", self._language, date=passage.starts_on.isoformat()))
        elif passage.updated_on is not None:
            notes.append(translate("ask.updated", self._language, date=passage.updated_on.isoformat()))
        if passage.audience == "internal":
            notes.append(translate("ask.internal", self._language))
        title = passage.title or passage.document_path
        return one_line(" › ".join([title, *passage.headings])) + (f" ({'; '.join(notes)})" if notes else "")

    def _stream(self, text: str) -> None:
        """Write text at once; a sentence's notes are written as soon as the next one begins."""
        self._text += text
        for sentence in split_sentences(self._text)[:-1]:
            if sentence.end > self._noted:
                grounding = ground(self._text[sentence.start : sentence.end], self._evidence, self._question)
                self._write(printable(self._text[self._printed : sentence.end]))
                self._write(self._notes(grounding.citations, unsupported=bool(grounding.unsupported)))
                self._printed = self._noted = sentence.end
        visible = len(self._text.rstrip())  # the blank after a sentence belongs after its notes
        if visible > self._printed:
            self._write(printable(self._text[self._printed : visible]))
            self._printed = visible

    def _complete(self, answer: Answer) -> None:
        shown = without_preamble(self._text.strip(), self._question)
        if not shown or not answer.text.startswith(shown):  # a refusal, or something was left out
            shown = ""
            self._write("\n" if self._text else "")
            if answer.lane == "quotation" and not self._text:
                self._line(self._styled(translate("ask.quotation", self._language), _BOLD))
            if self._text:
                change = "ask.quoted_instead" if answer.quoted else "ask.checked"
                self._line(self._styled(translate(change, self._language), _WARN))
        self._write(self._with_notes(answer, len(shown)))
        self._line("\n")
        self._show_origin(answer)
        self._show_sources(answer)
        if answer.by_words_alone:
            note = translate("ask.by_words_alone", self._language, error=answer.by_words_alone)
            self._line(self._styled(note, _WARN))
        if note := language_note(answer, self._language):
            self._line(self._styled(note, _DIM))
        self._line(self._styled(times_line(answer, self._language), _DIM))
        if answer.stand_in:
            self._line(self._styled(translate("ask.stand_in", self._language), _WARN))

    def _with_notes(self, answer: Answer, shown: int) -> str:
        """Return the text after its first ``shown`` characters with its notes, and that of the last sentence shown."""
        pieces, position = [], shown
        for sentence in split_sentences(answer.text):
            if sentence.end < shown:
                continue
            cited = [citation for citation in answer.citations if citation.start <= sentence.start < citation.end]
            unsupported = any(span.start == sentence.start for span in answer.unsupported)
            pieces += [printable(answer.text[position : sentence.end]), self._notes(cited, unsupported=unsupported)]
            position = sentence.end
        return "".join([*pieces, printable(answer.text[position:])])

    def _notes(self, citations: Iterable[Citation], *, unsupported: bool) -> str:
        numbers = sorted({self._number(citation) for citation in citations})
        notes = _UNSUPPORTED if unsupported else "".join(f"[{number}]" for number in numbers)
        return self._styled(f" {notes}", _WARN if unsupported else _BOLD) if notes else ""

    def _number(self, citation: Citation) -> int:
        return next(passage.number for passage in self._evidence if passage.holds(citation))

    def _show_origin(self, answer: Answer) -> None:
        if answer.origin is None:
            return
        key = answer.lane if answer.origin.author or answer.lane == "cached" else "curated_unsigned"
        origin = answer.origin
        values = {"author": one_line(origin.author), "date": origin.written_at[:10], "generation": origin.generation}
        self._line(translate(f"ask.{key}", self._language, **values))

    def _show_sources(self, answer: Answer) -> None:
        if answer.unsupported:
            self._line(self._styled(f"{_UNSUPPORTED} {translate('ask.unsupported', self._language)}", _WARN))
        for span in answer.unconfirmed:
            sentence = shortened(one_line(answer.text[span.start : span.end]))
            self._line(
                self._styled(f"{_UNCONFIRMED} {translate('ask.unconfirmed', self._language)}: {sentence}", _WARN)
            )
        if not answer.citations:
            return
        self._line(translate("ask.sources", self._language))
        numbered = sorted(
            {(self._number(citation), citation.quote_start): citation for citation in answer.citations}.items()
        )
        paths = {passage.number: passage for passage in self._evidence}
        for (number, _), citation in numbered:
            self._line(f"  [{number}] {one_line(paths[number].title)} - {one_line(citation.document_path)}")
            quote = shortened(one_line(citation.quote))
            words = f"{one_line(citation.heading)} › {quote}" if citation.heading else quote
            self._line(self._styled(f"      {words}", _DIM))
            if citation.condition:
                left_out = translate("ask.left_out_condition", self._language, words=one_line(citation.condition))
                self._line(self._styled(f"      {_UNSUPPORTED} {left_out}", _WARN))

    def _end_thought(self) -> None:
        if self._is_thinking:
            self._is_thinking = False
            self._line("\n")

    def _styled(self, text: str, style: str) -> str:
        text = printable(text)
        return f"{style}{text}{_PLAIN}" if self._color else text

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def _line(self, text: str) -> None:
        self._write(f"{text}\n")


_STAGE_KEYS = {"wait": "wait_stage"}


def times_line(answer: Answer, language: Language) -> str:
    """Return the stages' times and the model in one line."""
    stages = " · ".join(
        f"{translate(f'ask.{_STAGE_KEYS.get(span.name, span.name)}', language)} {_duration(span.duration_ms)}"
        for span in answer.spans
    )
    if not answer.model:
        return f"{stages} | {translate('ask.no_model', language, generation=answer.generation)}"
    return f"{stages} | {translate('ask.model', language, model=answer.model, generation=answer.generation)}"


def printable(text: str) -> str:
    """Return text without control characters, which could command the terminal: documents and models are strangers."""
    return "".join(character for character in text if character in "\n\t" or character.isprintable())


def one_line(text: str) -> str:
    """Return text with every run of white space as one blank."""
    return printable(" ".join(text.split()))


def shortened(text: str) -> str:
    """Return a quotation cut to a terminal's length."""
    return text if len(text) <= _QUOTE_CHARACTERS else f"{text[: _QUOTE_CHARACTERS - 1]}…"


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
