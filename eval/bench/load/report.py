"""The figures of a load test as tables in the terminal and as a section of the report's page."""

from collections.abc import Mapping
from html import escape

from rich.console import Console
from rich.table import Table

from eval.bench.load.targets import bars
from eval.commands.question_options import print_line
from eval.core.svg import Bar as Stripe
from eval.core.svg import bar_chart
from eval.core.tables import part_of
from rag.schema import Language
from rag.translate import translate

_TIMES = ("evidence_ms", "first_word_ms", "total_ms", "late_ms")
_PERCENTILES = ("n", "p50", "p95", "p99", "largest")
_GPU_TIMED = "gpu-timed"

Figures = Mapping[str, object]


def is_gpu_timed(figures: Figures) -> bool:
    """Tell whether the stand-in for a GPU answered."""
    return _GPU_TIMED in str(figures.get("model", ""))


def print_figures(figures: Figures, console: Console, language: Language) -> None:
    """Print arms, times, stages and bars, and whose figures they are."""
    console.print(_arms_table(figures, language))
    for table in _times_tables(figures, language):
        console.print(table)
    console.print(_bars_table(figures, language))
    for line in notes(figures, language):
        print_line(console, line)


def notes(figures: Figures, language: Language) -> list[str]:
    """Return in words whose figures these are, how the arms compare, and how busy the machine was with other things."""
    model = str(figures.get("model", ""))
    lines = [
        translate("bench_load.gpu_note", language)
        if is_gpu_timed(figures)
        else translate("eval.stand_in" if figures.get("stand_in") else "eval.model", language, model=model)
    ]
    for arm, compared in part_of(figures, "product_against").items():
        ratio, rounds = part_of(compared).get("ratio"), part_of(compared).get("rounds")
        if ratio is not None:
            shown = ", ".join(str(one) for one in rounds) if isinstance(rounds, list) else ""
            lines.append(
                translate(
                    "bench_load.against",
                    language,
                    arm=translate(f"bench_load.arm_{arm}", language),
                    ratio=ratio,
                    rounds=shown,
                )
            )
    lines.append(
        translate(
            "bench_load.machine", language, load=figures.get("load_average", "?"), cores=figures.get("cores", "?")
        )
    )
    return lines


def _arms_table(figures: Figures, language: Language) -> Table:
    titles = [
        translate(f"bench_load.{key}", language)
        for key in ("arm", "asked", "a_minute", "outcomes", "accuracy", "tokens")
    ]
    table = Table(*titles, title=translate("bench_load.load", language))
    for arm, values in part_of(figures, "arms").items():
        one = part_of(values)
        outcomes = " / ".join(str(count) for count in part_of(one, "outcomes").values())
        tokens = f"{_shown(one.get('prompt_tokens'))} / {_shown(one.get('generated_tokens'))}"
        cells = (one.get("n"), one.get("answers_a_minute"), outcomes, one.get("accuracy"), tokens)
        table.add_row(translate(f"bench_load.arm_{arm}", language), *(_shown(cell) for cell in cells))
    return table


def _times_tables(figures: Figures, language: Language) -> list[Table]:
    tables = []
    for arm, values in part_of(figures, "arms").items():
        title = f"{translate('bench_load.times', language)}: {translate(f'bench_load.arm_{arm}', language)}"
        table = Table(
            translate("eval.stage", language),
            *_PERCENTILES[:-1],
            translate("bench_load.largest", language),
            title=title,
        )
        for name, row in _rows_of(values).items():
            if row.get("n"):
                shown = translate(f"bench_load.{name}", language) if name in _TIMES else name
                table.add_row(shown, *(_shown(row.get(key)) for key in _PERCENTILES))
        tables.append(table)
    return tables


def _rows_of(arm: object) -> dict[str, Figures]:
    """Return what a reader of the page saw, then the product's own stages."""
    both = {**part_of(arm, "times"), **part_of(arm, "stages")}
    return {name: part_of(row) for name, row in both.items()}


def _bars_table(figures: Figures, language: Language) -> Table:
    table = Table(
        *(translate(f"bench_load.{key}", language) for key in ("what", "measured", "bar", "met")),
        title=translate("bench_load.bars", language),
    )
    for one in bars(figures, gpu_timed=is_gpu_timed(figures)):
        table.add_row(
            translate(f"bench_load.{one.name}", language),
            one.shown,
            one.bar,
            translate("bench_load.yes" if one.met else "bench_load.no", language),
        )
    return table


def page_section(figures: Figures, language: Language) -> str:
    """Return the figures as HTML: for each arm a stripe a stage, its length the median and its line up to p99."""
    parts = [f"<p>{escape(line)}</p>" for line in notes(figures, language)]
    rates = [
        Stripe(translate(f"bench_load.arm_{arm}", language), float(str(rate)), f"{rate}")
        for arm, values in part_of(figures, "arms").items()
        if (rate := part_of(values).get("answers_a_minute")) is not None
    ]
    parts.append(bar_chart(translate("bench_load.a_minute", language), rates))
    for number, (arm, values) in enumerate(part_of(figures, "arms").items()):
        stripes = [
            _stripe(translate(f"bench_load.{name}", language) if name in _TIMES else name, row, number % 3)
            for name, row in _rows_of(values).items()
            if row.get("n") and name != "late_ms"
        ]
        title = f"{translate('bench_load.times_plot', language)}: {translate(f'bench_load.arm_{arm}', language)}"
        parts.append(bar_chart(title, stripes))
    rows = "".join(
        f"<tr><td>{escape(translate('bench_load.' + one.name, language))}</td>"
        f"<td>{escape(one.shown)}</td><td>{escape(one.bar)}</td>"
        f"<td>{escape(translate('bench_load.yes' if one.met else 'bench_load.no', language))}</td></tr>"
        for one in bars(figures, gpu_timed=is_gpu_timed(figures))
    )
    return f"{''.join(parts)}<table>{rows}</table>"


def _stripe(label: str, row: Figures, group: int) -> Stripe:
    p50, p99 = float(str(row["p50"])), float(str(row["p99"]))
    return Stripe(label, p50, f"{p50:.0f} – {p99:.0f} ms (n = {row['n']})", (p50, p99), group)


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
