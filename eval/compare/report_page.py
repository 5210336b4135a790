"""One self-contained HTML page of runs: their figures, plots, what was lost where, and how two runs compare."""

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Literal

from eval.answers.asking import RECORDS
from eval.answers.metrics import wanted_words
from eval.answers.scores import wrong
from eval.benches import benchmark_module
from eval.code.report import failed_attempts, overview
from eval.code.report import page_section as code_section
from eval.compare.pairs import Comparison
from eval.core.runs import Run
from eval.core.svg import Bar, Point, bar_chart, reliability_chart
from eval.desk.report import lost_cases
from eval.desk.report import page_section as desk_section
from rag.errors import SettingsError
from rag.latency import stage_words
from rag.schema import Language
from rag.translate import translate

_QUALITY = ("accuracy", "token_f1", "rouge_l")
_SHARES = ("supported_sentences", "citation_precision", "citation_recall", "language_match")
_RETRIEVAL = ("recall_at_1", "recall_at_5", "recall_at_10", "mrr_at_10", "ndcg_at_10")
_REFUSAL = ("auroc", "refused_unanswerable", "refused_unanswerable_at_5", "refused_answerable", "ece")
_WRONG_SHOWN = 50

Figures = Mapping[str, object]


@cache
def style(name: Literal["page", "plots"]) -> str:
    """Return a style sheet of the report.  That of plots and tables wants the colours --g0, --g1 and --g2."""
    return Path(__file__).with_name(f"{name}.css").read_text(encoding="utf-8")


def page(runs: Sequence[Run], comparisons: Sequence[tuple[str, str, Sequence[Comparison]]], language: Language) -> str:
    """Return the page; it needs nothing but itself.  Raises ``SettingsError`` where a run is not finished."""
    parts = [f'<p class="note">{escape(translate("eval_report.how_to_read", language))}</p>']
    parts += [_section(run, language) for run in runs]
    parts.append(overview([run for run in runs if run.identity().get("command") == "code"], language))
    parts += [_comparison(*one, language) for one in comparisons]
    return document(translate("eval_report.title", language), "".join(parts), language)


def document(title: str, body: str, language: Language) -> str:
    """Return a whole HTML document that needs nothing but itself; ``body`` is HTML."""
    heading, styles = escape(title), style("page") + style("plots")
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{heading}</title><style>{styles}</style><h1>{heading}</h1>{body}</html>\n"
    )


def _section(run: Run, language: Language) -> str:
    identity, figures = run.identity(), run.figures()
    command = str(identity.get("command"))
    plots = run_plots(run, language)
    heading = f"{run.folder.name}: {translate('eval_report.' + command, language)}"
    wrong_of = {"answers": _wrong, "desk": lost_cases, "code": failed_attempts}
    wrong_ones = wrong_of[command](run, language) if command in wrong_of else ""
    return f"<h2>{escape(heading)}</h2>{_identity(identity, figures, language)}{plots}{wrong_ones}"


def run_plots(run: Run, language: Language) -> str:
    """Return a finished run's plots with their figures, as HTML styled by ``plots.css``.

    Raises ``SettingsError`` where it is not finished, or of a kind that has no plots, and ``BenchmarkMissing`` where
    only a source checkout can draw them.
    """
    figures = run.figures()
    command = str(run.identity().get("command"))
    sections = {
        "answers": _answers,
        "retrieval": _retrieval,
        "refusal": _refusal,
        "citations": _citations,
        "desk": desk_section,
        "code": code_section,
        "load": _load,
    }
    if command not in sections:
        raise SettingsError(reason=translate("eval_report.no_section", language, run=run.folder.name, command=command))
    return sections[command](figures, language)


def _load(figures: Figures, language: Language) -> str:
    section: str = benchmark_module("load.report").page_section(figures, language)
    return section


def _identity(identity: Figures, figures: Figures, language: Language) -> str:
    badge = ""
    if figures.get("stand_in"):
        badge = f'<p><span class="stand-in">{escape(translate("eval_report.stand_in", language))}</span></p>'
    shown = {"n": figures.get("n"), **{key: value for key, value in identity.items() if key != "command"}}
    rows = [
        f"{escape(key)}: {escape(', '.join(map(str, value)) if isinstance(value, list) else str(value))}"
        for key, value in shown.items()
        if value not in (None, "", False)
    ]
    return f'{badge}<p class="note">{" · ".join(rows)}</p>'


def _answers(figures: Figures, language: Language) -> str:
    bars: list[Bar] = []
    for name in _QUALITY:
        for group, arm in enumerate(("own", "ceiling", "floor")):
            of_arm = figures if arm == "own" else figures.get(arm)
            if isinstance(of_arm, Mapping):
                label = f"{translate('eval_report.' + name, language)}, {translate('eval_report.' + arm, language)}"
                bars += _bars([(label, of_arm.get(name))], of_arm.get("intervals"), name, group)
    counts = _numbers(figures, "lost_in")
    lost = [
        Bar(translate(f"eval_report.lost_{name}", language), count, f"{count:.0f}") for name, count in counts.items()
    ]
    parts = [
        bar_chart(translate("eval_report.quality", language), bars, 1.0),
        bar_chart(
            translate("eval_report.citations", language),
            _bars([(translate(f"eval_report.{k}", language), figures.get(k)) for k in _SHARES]),
            1.0,
        ),
        bar_chart(translate("eval_report.lost_in", language), lost),
        _tokens(figures, language),
        _latency(figures, language),
    ]
    return "".join(parts)


def _tokens(figures: Figures, language: Language) -> str:
    bars = []
    for group, arm in enumerate(("own", "ceiling", "floor")):
        of_arm = figures if arm == "own" else figures.get(arm)
        for name, value in _numbers(of_arm, "tokens").items() if isinstance(of_arm, Mapping) else ():
            label = f"{translate(f'eval_report.tokens_{name}', language)}, {translate('eval_report.' + arm, language)}"
            bars.append(Bar(label, value, f"{value:.0f}", group=group))
    return bar_chart(translate("eval_report.tokens", language), bars)


def _retrieval(figures: Figures, language: Language) -> str:
    bars: list[Bar] = []
    for name in _RETRIEVAL:
        bars += _bars([(translate(f"eval_report.{name}", language), figures.get(name))], figures.get("intervals"), name)
    times = [Bar(name, value, f"{value:.1f} ms") for name, value in _numbers(figures, "latency_ms").items()]
    return bar_chart(translate("eval_report.found", language), bars, 1.0) + bar_chart(
        translate("eval_report.latency", language), times
    )


def _citations(figures: Figures, language: Language) -> str:
    shares = [
        (translate(f"eval_report.{name}", language), figures.get(name))
        for name in ("citation_precision", "citation_recall")
    ]
    bars = _bars([*shares, (translate("eval_report.faults_marked", language), figures.get("faults_marked"))])
    kinds = figures.get("by_fault")
    marked = [
        (translate(f"eval_report.fault_{kind}", language), found.get("marked"))
        for kind, found in (kinds.items() if isinstance(kinds, Mapping) else ())
    ]
    return bar_chart(translate("eval_report.citations", language), bars, 1.0) + bar_chart(
        translate("eval_report.faults", language), _bars(marked), 1.0
    )


def _refusal(figures: Figures, language: Language) -> str:
    bars: list[Bar] = []
    for name in _REFUSAL:
        bars += _bars([(translate(f"eval_report.{name}", language), figures.get(name))], figures.get("intervals"), name)
    found = figures.get("reliability")
    rows = found if isinstance(found, list) else []
    total = max(sum(row["n"] for row in rows), 1)
    points = [Point(row["said"], row["true"], row["n"] / total, f"n = {row['n']}") for row in rows]
    return bar_chart(translate("eval_report.refusals", language), bars, 1.0) + reliability_chart(
        translate("eval_report.reliability", language),
        translate("eval_report.said", language),
        translate("eval_report.true", language),
        points,
    )


def _bars(values: Sequence[tuple[str, object]], intervals: object = None, name: str = "", group: int = 0) -> list[Bar]:
    known = intervals.get(name) if isinstance(intervals, Mapping) else None
    interval = (float(known[0]), float(known[1])) if isinstance(known, (list, tuple)) else None
    return [
        Bar(label, float(value), f"{value:.3f}", interval, group)
        for label, value in values
        if isinstance(value, (int, float))
    ]


def _numbers(figures: Figures, name: str) -> dict[str, float]:
    found = figures.get(name)
    values = found if isinstance(found, Mapping) else {}
    return {key: float(value) for key, value in values.items() if isinstance(value, (int, float))}


def _latency(figures: Figures, language: Language) -> str:
    stages = figures.get("latency_ms")
    rows = []
    for stage, values in stages.items() if isinstance(stages, Mapping) else ():
        cells = "".join(f'<td class="n">{escape(str(values[key]))}</td>' for key in ("n", "p50", "p95", "p99"))
        rows.append(f"<tr><td>{escape(stage_words(stage, language))}</td>{cells}</tr>")
    head = "".join(
        f"<th>{escape(text)}</th>" for text in (translate("eval_report.stage", language), "n", "p50", "p95", "p99")
    )
    return (
        f"<figure><figcaption>{escape(translate('eval_report.latency', language))}</figcaption>"
        f"<table><tr>{head}</tr>{''.join(rows)}</table></figure>"
    )


def _wrong(run: Run, language: Language) -> str:
    questions, records = run.questions(), run.records(RECORDS)
    asked = {question.question_id: question for question in questions}
    replies = {one.question_id: one.answer.text for one in records if one.arm == "own" and one.answer}
    rows = []
    for score in wrong(questions, records)[:_WRONG_SHOWN]:
        question = asked[score.question_id]
        where = translate(f"eval_report.lost_{score.lost_in}", language) if score.lost_in else ""
        cells = (
            score.question_id,
            question.question,
            wanted_words(question),
            replies.get(score.question_id, ""),
            where,
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    if not rows:
        return ""
    titles = ("id", *(translate(f"eval_report.{key}", language) for key in ("question", "wanted", "reply", "where")))
    head = "".join(f"<th>{escape(text)}</th>" for text in titles)
    return (
        f"<details><summary>{escape(translate('eval_report.wrong', language, n=len(rows)))}</summary>"
        f"<table><tr>{head}</tr>{''.join(rows)}</table></details>"
    )


def _comparison(first: str, second: str, measures: Sequence[Comparison], language: Language) -> str:
    rows = []
    for one in measures:
        low, high = one.interval or (0.0, 0.0)
        cells = (
            one.measure,
            str(one.n),
            f"{one.first:.3f}",
            f"{one.second:.3f}",
            f"{one.difference:+.3f} ({low:+.3f} – {high:+.3f})",
            f"{one.wins} / {one.ties} / {one.losses}",
            f"{one.p_value:.3f}",
        )
        rows.append("<tr>" + "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells) + "</tr>")
    titles = (
        translate("eval_report.figure", language),
        "n",
        first,
        second,
        *(translate(f"eval_report.{k}", language) for k in ("difference", "wins", "p")),
    )
    head = "".join(f"<th>{escape(text)}</th>" for text in titles)
    return f"<h2>{escape(first)} → {escape(second)}</h2><table><tr>{head}</tr>{''.join(rows)}</table>"
