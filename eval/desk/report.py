"""A desk run's part of the report page: the funnel, every guard, every kind, and the cases that were lost."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from eval.core.runs import Run
from eval.core.statistics import share_interval
from eval.core.svg import Bar, bar_chart
from eval.core.tables import html_table, part_of
from eval.desk.asking import RECORDS
from eval.desk.cases import CASES
from eval.desk.figures import GUARDS, STAGES, Outcome, outcomes_of
from eval.desk.languages import LANGUAGE_COLUMNS, language_rows
from rag.schema import Language
from rag.translate import translate

GROUP_COLUMNS = (
    "n", "right_document_shown", "facts_shown", "facts_sent", "best_match", "refused", "right", "right_and_cited",
    "right_unquoted", "ceiling", "langchain",
)  # fmt: skip
GUARD_COLUMNS = ("stopped", "of_answerable", "right_stopped", "wrong_stopped", "now_right", "unknown")
GUARDS_BEFORE_THE_MODEL = ("search", "injection")
_LOST_SHOWN = 100

Figures = Mapping[str, object]


def funnel_rows(figures: Figures) -> list[tuple[str, int, int, float | None]]:
    """Return (name, hits, cases, mean tokens) of the known stages, from the agent's view to the answer.

    Names are keys of the catalogue ``eval_desk``.
    """
    tokens, refused, sizes = (part_of(figures, name) for name in ("tokens", "refused", "sizes"))
    stock = part_of(figures, "langchain")
    all_answerable = figures["answerable"]
    at = {"facts_shown": "shown", "facts_sent": "sent", "best_match": "best_match", "quoted": "quoted"}
    rows: list[tuple[str, object, object, object]] = [
        (name, figures[name], all_answerable, tokens.get(at.get(name, ""))) for name in STAGES
    ]
    rows.append(("refused_answerable", refused.get("answerable"), all_answerable, None))
    rows += [
        (name, figures[name], all_answerable, None)
        for name in ("right", "right_and_cited", "right_unquoted", "ceiling")
    ]
    for name in ("right_document_shown", "facts_sent", "right"):
        shown = stock.get("tokens") if name == "facts_sent" else None
        rows.append((f"langchain_{name}", stock.get(name), all_answerable, shown))
    rows += [(f"refused_{name}", refused.get(name), sizes.get(name), None) for name in ("far", "near")]
    rows.append(("right_false_premise", figures["right_false_premise"], sizes.get("false_premise"), None))
    rows.append(("refused_partly", refused.get("partly"), sizes.get("partly"), None))
    rows.append(("missing_half_named", figures["missing_half_named"], sizes.get("partly"), None))
    return [
        (name, hits, count, shown if isinstance(shown, float) else None)
        for name, hits, count, shown in rows
        if isinstance(hits, int) and isinstance(count, int) and count
    ]


def possible_guards(figures: Figures) -> Sequence[str]:
    """Return the guards that could act: without a model, only those before it."""
    return GUARDS if figures["model"] else GUARDS_BEFORE_THE_MODEL


def known_columns(groups: Figures) -> list[str]:
    """Return the columns with any known values, for a table of groups."""
    return [name for name in GROUP_COLUMNS if any(part_of(groups, group).get(name) is not None for group in groups)]


def page_section(figures: Figures, language: Language) -> str:
    """Return a finished run's figures as HTML."""
    bars = [
        Bar(
            translate(f"eval_desk.{name}", language),
            hits / count,
            f"{hits} / {count}" + (f" ({tokens:.0f} {translate('eval_desk.tokens', language)})" if tokens else ""),
            share_interval(hits, count),
            int(name.startswith(("langchain", "ceiling"))),
        )
        for name, hits, count, tokens in funnel_rows(figures)
    ]
    title = translate("eval_desk.title", language, n=figures["n"])
    parts = [bar_chart(title, bars, 1.0), _lost_chart(figures, language), _guard_table(figures, language)]
    parts += [_group_table(figures, name, language) for name in ("by_kind", "by_language")]
    parts.append(_language_table(part_of(figures, "languages"), language))
    return "".join(parts)


def lost_cases(run: Run, language: Language) -> str:
    """Return a run's lost cases as HTML: question, expected facts, reply, and the stage of the loss."""
    lost = [one for one in outcomes_of(run.questions_as(CASES), run.records(RECORDS)) if one.lost_in]
    if not lost:
        return ""
    titles = ("id", *(translate(f"eval_report.{key}", language) for key in ("question", "wanted", "reply", "where")))
    rows = [_lost_cells(one, language) for one in lost[:_LOST_SHOWN]]
    summary = escape(translate("eval_report.wrong", language, n=len(lost)))
    return f"<details><summary>{summary}</summary>{_table(titles, rows)}</details>"


def _lost_cells(one: Outcome, language: Language) -> list[str]:
    wanted = "; ".join(" / ".join(group) for group in one.case.must_contain_any)
    reply = one.record.answer.text if one.record.answer is not None else ""
    return [one.case.case_id, one.case.question, wanted, reply, _lost_words(one.lost_in, language)]


def _lost_words(name: str, language: Language) -> str:
    return translate(f"eval_desk.{'guard' if name in GUARDS else 'lost'}_{name}", language)


def _lost_chart(figures: Figures, language: Language) -> str:
    lost = [(name, count) for name, count in part_of(figures, "lost_in").items() if isinstance(count, int)]
    bars = [Bar(_lost_words(name, language), count, str(count)) for name, count in lost]
    return bar_chart(translate("eval_desk.lost_in", language), bars) if bars else ""


def _guard_table(figures: Figures, language: Language) -> str:
    guards = part_of(figures, "guards")
    titles = [translate(f"eval_desk.{key}", language) for key in ("guard", *(f"guard_{one}" for one in GUARD_COLUMNS))]
    rows = [
        [translate(f"eval_desk.guard_{name}", language), *_values(part_of(guards, name), GUARD_COLUMNS)]
        for name in possible_guards(figures)
    ]
    return _figure(translate("eval_desk.guards", language), _table(titles, rows))


def _group_table(figures: Figures, name: str, language: Language) -> str:
    groups = part_of(figures, name)
    columns, title = known_columns(groups), translate(f"eval_desk.{name}", language)
    titles = [title, *(translate(f"eval_desk.short_{column}", language) for column in columns)]
    rows = [[group, *_values(part_of(groups, group), columns)] for group in sorted(groups)]
    return _figure(title, _table(titles, rows))


def _language_table(figures: Figures, language: Language) -> str:
    if not figures:
        return ""
    titles = [translate("eval_desk.by_language", language)]
    titles += [translate(f"eval_desk.languages_{column}", language) for column in LANGUAGE_COLUMNS]
    rows = [[name, *cells] for name, cells in language_rows({name: part_of(figures, name) for name in figures})]
    return _figure(translate("eval_desk.languages", language), _table(titles, rows))


def _values(values: Figures, columns: Sequence[str]) -> list[str]:
    return ["-" if values.get(column) is None else str(values[column]) for column in columns]


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return html_table(titles, rows, lambda cell: cell.isdigit() or cell == "-")


def _figure(title: str, content: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{content}</figure>"
