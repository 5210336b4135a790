"""Replies by the customer's language: written in it, and right.  Pure functions."""

from collections.abc import Mapping, Sequence

from eval.core.bootstrap import share_interval
from eval.desk.figures import Outcome
from eval.desk.reply_language import is_written_in
from rag.text.language import THIRD_LANGUAGES

LANGUAGE_COLUMNS = ("n", "replies", "in_language", "answerable", "right", "refused", "unanswerable", "refused_rightly")


def language_figures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, object]]:
    """Return counts by language, and over ``all`` of them; empty where every case is Chinese or English.

    ``replies`` are the model's, whether they stand or a guard refused them, of which ``in_language`` are in the
    customer's.  ``right`` and ``refused`` are of the ``answerable``, ``refused_rightly`` of the ``unanswerable`` ones.
    ``intervals`` are 95 % intervals (Wilson) of the three shares.
    """
    languages = dict.fromkeys(one.case.language for one in outcomes)
    if not any(language in THIRD_LANGUAGES for language in languages):
        return {}
    groups = {language: [one for one in outcomes if one.case.language == language] for language in languages}
    return {name: _figures(group) for name, group in (*groups.items(), ("all", outcomes))}


def language_rows(figures: Mapping[str, Mapping[str, object]]) -> list[tuple[str, list[str]]]:
    """Return of each language its name and the cells under ``LANGUAGE_COLUMNS``."""
    return [(name, [str(group[column]) for column in LANGUAGE_COLUMNS]) for name, group in figures.items()]


def _figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    written = [is_written_in(text, one.case.language) for one in outcomes if (text := _models_words(one))]
    known = [one for one in written if one is not None]
    answerable = [one for one in outcomes if one.case.answerable is True]
    others = [one for one in outcomes if one.case.answerable is False]
    counts = {
        "n": len(outcomes),
        "replies": len(known),
        "in_language": sum(known),
        "answerable": len(answerable),
        "right": sum(bool(one.right) for one in answerable),
        "refused": sum(one.refused for one in answerable),
        "unanswerable": len(others),
        "refused_rightly": sum(one.refused for one in others),
    }
    shares = (("in_language", "replies"), ("right", "answerable"), ("refused_rightly", "unanswerable"))
    return {**counts, "intervals": {name: share_interval(counts[name], counts[of]) for name, of in shares}}


def _models_words(one: Outcome) -> str:
    """Return what the model wrote; empty where it was not asked."""
    answer = one.record.answer
    return one.record.guards.draft or (answer.text if answer is not None and answer.lane == "model" else "")
