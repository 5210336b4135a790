"""One self-contained HTML page of runs: their figures, plots, what was lost where, and how two runs compare."""

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Literal

from eval.answers.asking import RECORDS
from eval.answers.metrics import wanted_words
from eval.answers.scores import wrong_scores
from eval.benches import benchmark_module
from eval.code.report import failed_attempts, overview
from eval.code.report import page_section as code_section
from eval.compare.pairs import Comparison
from eval.core.conditions import conditions_of
from eval.core.runs import Run
from eval.core.svg import Bar, Point, bar_chart, reliability_chart
from eval.core.tables import html_table, part_of, signed_interval
from eval.desk.report import lost_cases
from eval.desk.report import page_section as desk_section
from rag.errors import SettingsError
from rag.performance import stage_words
from rag.schema import Language
from rag.settings import Settings
from rag.translate import is_known, translate

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
    """Return the self-contained page.  Raises ``SettingsError`` where a run is not finished."""
    parts = [f'<p class="note">{escape(translate("eval_report.how_to_read", language))}</p>']
    parts += [_section(run, language) for run in runs]
    parts.append(overview([run for run in runs if run.identity().get("command") == "code"], language))
    parts += [_comparison(*one, language) for one in comparisons]
    return document(translate("eval_report.title", language), "".join(parts), language)


def document(title: str, body: str, language: Language) -> str:
    """Return a self-contained HTML document; ``body`` is HTML."""
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
    wrong_of = {"answers": _wrong_answers, "desk": lost_cases, "code": failed_attempts}
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
    own = {key: value for key, value in identity.items() if key not in ("command", "settings")}
    shown = {"n": figures.get("n"), **own, **_changed_settings(identity)}
    rows = [
        f"{word_or_key(f'fact_{key}', key, language)}{translate('eval_report.colon', language)}{_fact(value, language)}"
        for key, value in shown.items()
        if value not in (None, "", False)
    ]
    return f'{badge}<p class="note">{escape(" · ".join(rows))}</p>'


def word_or_key(name: str, key: str, language: Language) -> str:
    """Return the report's word of this ``name``; the ``key`` where the catalogue has none."""
    return translate(f"eval_report.{name}", language) if is_known(f"eval_report.{name}") else key


def _fact(value: object, language: Language) -> str:
    """Return what was measured, in words where these are few and known."""
    values = value if isinstance(value, list) else [value]
    comma = translate("eval_report.comma", language)
    return comma.join(word_or_key(f"value_{one}".lower(), str(one), language) for one in values)


def _changed_settings(identity: Figures) -> dict[str, str]:
    """Return the settings of a run that are not the product's own, as words; "" where there is no value."""
    usual = Settings.model_fields
    return {
        name: "" if value is None else str(value)
        for name, value in conditions_of(identity).items()
        if name not in usual or usual[name].get_default() != value
    }


def _answers(figures: Figures, language: Language) -> str:
    bars: list[Bar] = []
    for name in _QUALITY:
        for group, arm in enumerate(("own", "ceiling", "floor")):
            of_arm = figures if arm == "own" else part_of(figures, arm)
            bars += _bars(of_arm, (name,), language, translate(f"eval_report.{arm}", language), group)
    lost = [
        Bar(translate(f"eval_report.lost_{name}", language), count, f"{count:.0f}")
        for name, count in _numbers(figures, "lost_in").items()
    ]
    parts = [
        bar_chart(translate("eval_report.quality", language), bars, 1.0),
        bar_chart(translate("eval_report.citations", language), _bars(figures, _SHARES, language), 1.0),
        bar_chart(translate("eval_report.lost_in", language), lost),
        _tokens(figures, language),
        _latency(figures, language),
    ]
    return "".join(parts)


def _tokens(figures: Figures, language: Language) -> str:
    bars = []
    for group, arm in enumerate(("own", "ceiling", "floor")):
        of_arm = figures if arm == "own" else part_of(figures, arm)
        for name, value in _numbers(of_arm, "tokens").items():
            words = translate(f"eval_report.tokens_{name}", language), translate(f"eval_report.{arm}", language)
            label = translate("eval_report.comma", language).join(words)
            bars.append(Bar(label, value, f"{value:.0f}", group=group))
    return bar_chart(translate("eval_report.tokens", language), bars)


def _retrieval(figures: Figures, language: Language) -> str:
    times = [Bar(name, value, f"{value:.1f} ms") for name, value in _numbers(figures, "latency_ms").items()]
    found = bar_chart(translate("eval_report.found", language), _bars(figures, _RETRIEVAL, language), 1.0)
    return found + bar_chart(translate("eval_report.latency", language), times)


def _citations(figures: Figures, language: Language) -> str:
    bars = _bars(figures, ("citation_precision", "citation_recall", "faults_marked"), language)
    marked = {f"fault_{kind}": part_of(one).get("marked") for kind, one in part_of(figures, "by_fault").items()}
    return bar_chart(translate("eval_report.citations", language), bars, 1.0) + bar_chart(
        translate("eval_report.faults", language), _bars(marked, tuple(marked), language), 1.0
    )


def _refusal(figures: Figures, language: Language) -> str:
    found = figures.get("reliability")
    rows = found if isinstance(found, list) else []
    total = max(sum(row["n"] for row in rows), 1)
    points = [Point(row["said"], row["true"], row["n"] / total, f"n = {row['n']}") for row in rows]
    title, across, upward = (translate(f"eval_report.{key}", language) for key in ("reliability", "said", "true"))
    bars = bar_chart(translate("eval_report.refusals", language), _bars(figures, _REFUSAL, language), 1.0)
    return bars + reliability_chart(title, across, upward, points)


def _bars(figures: Figures, names: Sequence[str], language: Language, arm: str = "", group: int = 0) -> list[Bar]:
    """Return a bar for each known figure, with its interval, if any."""
    bars = []
    for name in names:
        value, known = figures.get(name), part_of(figures, "intervals").get(name)
        interval = (float(known[0]), float(known[1])) if isinstance(known, (list, tuple)) else None
        words = filter(None, (translate(f"eval_report.{name}", language), arm))
        label = translate("eval_report.comma", language).join(words)
        if isinstance(value, (int, float)):
            bars.append(Bar(label, float(value), f"{value:.3f}", interval, group))
    return bars


def _numbers(figures: Figures, name: str) -> dict[str, float]:
    return {key: float(value) for key, value in part_of(figures, name).items() if isinstance(value, (int, float))}


def _latency(figures: Figures, language: Language) -> str:
    names = ("n", "p50", "p95", "p99")
    rows = [
        [stage_words(stage, language), *(str(part_of(values)[name]) for name in names)]
        for stage, values in part_of(figures, "latency_ms").items()
    ]
    table = html_table((translate("eval_report.stage", language), *names), rows, _is_number)
    return f"<figure><figcaption>{escape(translate('eval_report.latency', language))}</figcaption>{table}</figure>"


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).isdigit()


def _wrong_answers(run: Run, language: Language) -> str:
    questions, records = run.questions(), run.records(RECORDS)
    asked = {question.question_id: question for question in questions}
    replies = {one.question_id: one.answer.text for one in records if one.arm == "own" and one.answer}
    rows = []
    for score in wrong_scores(questions, records)[:_WRONG_SHOWN]:
        question = asked[score.question_id]
        where = translate(f"eval_report.lost_{score.lost_in}", language) if score.lost_in else ""
        reply = replies.get(score.question_id, "")
        rows.append((score.question_id, question.question, wanted_words(question), reply, where))
    if not rows:
        return ""
    titles = ("id", *(translate(f"eval_report.{key}", language) for key in ("question", "wanted", "reply", "where")))
    summary = escape(translate("eval_report.wrong", language, n=len(rows)))
    return f"<details><summary>{summary}</summary>{html_table(titles, rows)}</details>"


def _comparison(first: str, second: str, measures: Sequence[Comparison], language: Language) -> str:
    rows = []
    for one in measures:
        difference = f"{one.difference:+.3f} ({signed_interval(one.interval)})"
        counts = f"{one.wins} / {one.ties} / {one.losses}"
        figures = (f"{one.first:.3f}", f"{one.second:.3f}", difference, counts, f"{one.p_value:.3f}")
        rows.append((word_or_key(one.measure, one.measure, language), str(one.n), *figures))
    titles = (
        translate("eval_report.figure", language),
        "n",
        first,
        second,
        *(translate(f"eval_report.{k}", language) for k in ("difference", "wins", "p")),
    )
    return f"<h2>{escape(first)} → {escape(second)}</h2>{html_table(titles, rows, lambda cell: True)}"
