"""Do the documents decide the cases?  What a support lead who writes cases gets wrong, before anything is asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eval.desk.cases import DeskCase, absence_pattern
from eval.desk.judging import has_gold, holds_facts, holds_phrase, normalise
from rag.storage.store import KnowledgeStore

DERIVED = "derived:"
"""In a case's note: its facts are worked out from the quotes, so that they need not stand there."""


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
    quotes = [one for one in (case.gold_quote, *case.more_quotes) if one]
    yield from (Complaint(case.case_id, "no_quote", one) for one in quotes if normalise(one) not in gold_text)
    quoted = normalise(" \n ".join(quotes))
    if quotes and DERIVED not in case.note:
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
