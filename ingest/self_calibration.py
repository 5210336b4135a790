"""Calibrates a knowledge base's refusal threshold at publication, without labelled questions.

The search's probabilities differ between knowledge bases: the same share of questions about other trades stays below
.66 in one and below .54 in another.  So each is asked such questions, which it cannot answer, and its own headings,
which it can.  The threshold refuses most of the former and hardly any of the latter; a calibration by labelled
questions (``python -m eval calibrate refusal``) replaces it.  Its refusals of near misses are measured, too: headings
asked without the documents that answer them.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rag.protocols import Embedder
from rag.retrieval.confidence import Confidence, calibrations_of, fit_name, fitted_confidence, load_confidence
from rag.retrieval.filters import EVERYTHING, Filters, SearchOptions
from rag.retrieval.model_folders import is_search_model
from rag.retrieval.retriever import Retriever, SearchResult
from rag.schema import Language
from rag.settings import Settings
from rag.storage.calibration import CALIBRATION_NAME, save_calibration
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace

FAR_QUESTIONS_PATH = Path(__file__).with_name("far_questions.toml")

FAR_REFUSED = 0.65
"""Share of the far questions that the search alone refuses.

So many of a hundred texts of other trades, of which the fit has seen all, are refused, and answerable questions: over
product pages, a help site and four other sets .60 and .01; in the sample (a shop, which some of the texts concern) .77
and .06.  With .50 these are .51 and .00, and .63 and .03; with .70, .67 and .01, and .80 and .06.  With half of the
texts, which no fit has seen, .62 of them are refused over the four other sets, and before such texts and customers'
mails were fitted on, .51 with .50.  The model's reading refuses more."""

OWN_REFUSED = 0.03
"""Largest share of the own headings that may be refused."""

_MOST_HEADINGS = 80
_MOST_NEAR_MISSES = 16
"""Each is searched in a knowledge base of its own: half a second with 4,000 passages."""

_LEFT_OUT_PASSAGES = 3
"""The documents of so many best passages are those that answer a heading: its own, its translation, a copy."""

_FEWEST_CHUNKS = 20
"""With fewer passages there is nothing to tell apart, and the shipped threshold serves."""

_CHANGED_SHARE = 0.1
_DIGITS = 4


def calibrate_itself(settings: Settings, embedder: Embedder) -> bool:
    """Find and store the threshold of the current generation; return whether that was done.

    An embedding model of the settings gets the fit by words alone, which holds for any.  Nothing is done for a fake
    embedder, for a very small knowledge base, and where the last threshold was found with the same embedder, the same
    fit and nearly as many passages.  Raises what a search raises.
    """
    model_id = embedder.model_id
    confidence = load_confidence(model_id) if is_search_model(model_id) else fitted_confidence(model_id)
    store = KnowledgeStore(settings.knowledge_dir)
    try:
        chunks = sum(store.languages(store.require_generation()).values())
        if confidence is None or chunks < _FEWEST_CHUNKS or not _is_due(store, model_id, chunks):
            return False
        retriever = Retriever(store, embedder, settings)
        far = _probabilities(confidence, (_find(retriever, question) for question in far_questions()))
        headings = list(_headings(store))
        answered = [_find(retriever, heading) for heading in headings]
        own = _probabilities(confidence, answered)
        near = _probabilities(confidence, _near_misses(retriever, headings, answered))
    finally:
        store.close()
    threshold = min(float(np.quantile(far, FAR_REFUSED)), float(np.quantile(own, OWN_REFUSED)) if len(own) else 1.0)
    refused = {"far": far, "own": own, "near": near}
    found = {
        "threshold": round(threshold, _DIGITS),
        **{
            f"{kind}_refused": round(float((asked < threshold).sum()) / max(1, len(asked)), _DIGITS)
            for kind, asked in refused.items()
        },
        **{f"{kind}_asked": len(asked) for kind, asked in refused.items()},
        "chunks": chunks,
        "embedder": model_id,
        "fit": fit_name(),
    }
    save_calibration(settings.knowledge_dir, {"automatic": found})
    if share := KnowledgeShare.of(settings):
        share.publish_file(CALIBRATION_NAME)
    return True


@cache
def far_questions() -> tuple[tuple[str, Language], ...]:
    """Return questions of other trades, each with its language."""
    with FAR_QUESTIONS_PATH.open("rb") as file:
        written = tomllib.load(file)
    return tuple((text, cast(Language, language)) for language, texts in written.items() for text in texts)


def _is_due(store: KnowledgeStore, model_id: str, chunks: int) -> bool:
    found = calibrations_of(store.folder, model_id)[1]
    before = found.get("chunks")
    changed = not isinstance(before, int) or abs(chunks - before) > _CHANGED_SHARE * before
    return changed or found.get("fit") != fit_name()


def _headings(store: KnowledgeStore) -> Iterator[tuple[str, Language]]:
    """Yield headings with their titles from all over the knowledge base, as a customer would ask for them."""
    generation = store.require_generation()
    numbers = store.visible_chunk_ids(generation)
    chosen = store.chunks(numbers[:: max(1, len(numbers) // _MOST_HEADINGS)], generation).values()
    asked = {" ".join([chunk.title, *chunk.heading_path[-1:]]): chunk.language for chunk in chosen}
    yield from ((words, language) for words, language in asked.items() if words.strip())


def _find(retriever: Retriever, question: tuple[str, Language], filters: Filters = EVERYTHING) -> SearchResult:
    text, language = question
    return retriever.find(text, language, Trace(), SearchOptions(filters=filters))


def _probabilities(confidence: Confidence, found: Iterable[SearchResult]) -> NDArray[np.float64]:
    return np.array([confidence.probability(one.signals) for one in found], dtype=np.float64)


def _near_misses(
    retriever: Retriever, headings: Sequence[tuple[str, Language]], answered: Sequence[SearchResult]
) -> Iterator[SearchResult]:
    """Search some of the headings again, without the documents that ``answered`` them."""
    step = max(1, len(headings) // _MOST_NEAR_MISSES)
    for heading, answer in zip(headings[::step], answered[::step], strict=True):
        best = answer.chunks[:_LEFT_OUT_PASSAGES]
        yield _find(retriever, heading, Filters(without=frozenset(one.chunk.document_id for one in best)))
