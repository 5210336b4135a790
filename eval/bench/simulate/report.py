"""A simulated day as tables in the terminal and as a page with its plots."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape

from rich.console import Console

from eval.bench.simulate.against import Comparison
from eval.bench.simulate.day import Hour, Inputs, origins
from eval.bench.simulate.sizing import INDEX_LIMIT, Plan, Room
from eval.commands.shared import headed_table, print_line
from eval.compare.report_page import document
from eval.core.svg import Bar, bar_chart
from eval.core.tables import html_table
from rag.schema import Language
from rag.translate import translate

_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Prices:
    """What an hour of each costs, in whatever money; None: unknown.  ``hours`` is for how long it is wanted."""

    host: float | None = None
    desk: float | None = None
    database: float | None = None
    hours: float = 730.0

    def of(self, plan: Plan) -> float | None:
        """Return what the plan costs; None where no price is given."""
        given = [
            count * price
            for count, price in ((plan.hosts, self.host), (plan.desks, self.desk), (1, self.database))
            if price is not None
        ]
        return self.hours * sum(given) if given else None


def words(key: str, language: Language, **values: object) -> str:
    """Return one of the command's sentences."""
    return translate(f"bench_simulate.{key}", language, **values)


def print_inputs(inputs: Inputs, console: Console, language: Language) -> None:
    """Print every figure that the day is made of, and where it comes from."""
    heads = (f"bench_simulate.{key}" for key in ("input", "value", "unit", "kind", "source"))
    table = headed_table(heads, "bench_simulate.inputs", language)
    for row in _input_rows(inputs, language):
        table.add_row(*row)
    console.print(table)


def _input_rows(inputs: Inputs, language: Language) -> list[tuple[str, str, str, str, str]]:
    return [
        (name, f"{getattr(inputs, name):g}", one.unit, words(f"kind_{one.kind}", language), one.source)
        for name, one in origins().items()
    ]


def print_plan(plan: Plan, inputs: Inputs, prices: Prices, console: Console, language: Language) -> None:
    """Print what is enough, what is used up first, and the day hour by hour."""
    for line in plan_lines(plan, inputs, prices, language):
        print_line(console, line)
    uses = headed_table((f"bench_simulate.{key}" for key in ("resource", "at_most", "used")), "", language)
    for use in plan.uses:
        name = words(f"resource_{use.resource}", language)
        uses.add_row(name, f"{use.questions_per_second:,.1f}", f"{100 * use.share:.1f} %")
    console.print(uses)
    keys = ("hour", "questions", "refused", "evidence", "wait", "longest_wait", "queue")
    table = headed_table((f"bench_simulate.{key}" for key in keys), "", language)
    for hour in plan.hours:
        if hour.questions:
            table.add_row(*_cells(hour))
    console.print(table)


def plan_lines(plan: Plan, inputs: Inputs, prices: Prices, language: Language) -> list[str]:
    """Return in words what is enough, and for how much."""
    peak = plan.peak
    lines = [
        words(
            "enough",
            language,
            hosts=plan.hosts,
            slots=inputs.slots,
            desks=plan.desks,
            cores=inputs.desk_cores,
            hour=peak.hour,
            wait=f"{peak.wait_p90 or 0:.1f}",
            low=f"{min(plan.waits_p90):.1f}",
            high=f"{max(plan.waits_p90):.1f}",
            days=len(plan.waits_p90),
            refused=peak.refused,
        )
    ]
    first, second = plan.uses[:2]
    names = {use.resource: words(f"resource_{use.resource}", language) for use in plan.uses}
    lines.append(
        words(
            "first",
            language,
            first=names[first.resource],
            share=f"{100 * first.share:.0f}",
            second=names[second.resource],
            times=f"{1 / second.share:.1f}" if second.share else "-",
        )
    )
    cost = prices.of(plan)
    lines.append(
        words("no_price", language)
        if cost is None
        else words("cost", language, cost=f"{cost:,.2f}", hours=f"{prices.hours:g}")
    )
    return lines


def print_room(room: Room, console: Console, language: Language) -> None:
    """Print the room that a knowledge base takes, and into how many it must be cut."""
    sizes = {
        name: f"{value / _GIGABYTE:,.1f}" for name, value in asdict(room).items() if name.endswith(("disk", "memory"))
    }
    values = {"passages": f"{room.passages:,}", "seconds": f"{room.transfer_seconds:,.0f}", **sizes}
    print_line(console, words("room", language, **values))
    if room.bases > 1:
        print_line(console, words("too_many", language, bases=room.bases, limit=f"{INDEX_LIMIT:,}"))


def print_comparison(rows: Sequence[Comparison], console: Console, language: Language) -> None:
    """Print the measured waits beside those that the simulation expects."""
    heads = (f"bench_simulate.{key}" for key in ("wait_figure", "measured", "simulated", "range", "inside"))
    table = headed_table(heads, "bench_simulate.against", language)
    for row in rows:
        inside = words("yes" if row.is_inside else "no", language)
        table.add_row(
            row.name, f"{row.measured:.2f}", f"{row.simulated:.2f}", f"{row.low:.2f} – {row.high:.2f}", inside
        )
    console.print(table)


def page(plan: Plan, inputs: Inputs, prices: Prices, language: Language) -> str:
    """Return a page of its own with the day's plots."""
    asked = [hour for hour in plan.hours if hour.questions]
    charts = [
        bar_chart(
            words("queue_plot", language),
            [Bar(f"{hour.hour}:00", hour.queue_most, f"{hour.queue_most} ({hour.queue_mean:.1f})") for hour in asked],
        ),
        bar_chart(
            words("wait_plot", language),
            [Bar(f"{hour.hour}:00", hour.wait_p90 or 0.0, f"{hour.wait_p90 or 0.0:.1f}") for hour in asked],
        ),
        bar_chart(
            words("use_plot", language),
            [
                Bar(words(f"resource_{use.resource}", language), use.share, f"{100 * use.share:.1f} %")
                for use in plan.uses
            ],
            maximum=max(1.0, *(use.share for use in plan.uses)),
        ),
    ]
    said = "".join(f"<p>{escape(line)}</p>" for line in plan_lines(plan, inputs, prices, language))
    table = html_table((), _input_rows(inputs, language))
    return document(words("title", language), f"{said}{''.join(charts)}{table}", language)


def figures(plan: Plan | None, inputs: Inputs, more: Mapping[str, object]) -> dict[str, object]:
    """Return plain values, ready for ``json.dumps``."""
    known = {} if plan is None else asdict(plan)
    return {"inputs": asdict(inputs), **known, **more}


def _cells(hour: Hour) -> list[str]:
    evidence = f"{hour.evidence_p99:.3f}" if hour.evidence_p99 is not None else "-"
    wait = f"{hour.wait_p50 or 0:.1f} / {hour.wait_p90 or 0:.1f}"
    return [
        f"{hour.hour}:00", f"{hour.questions:,}", f"{hour.refused:,}", evidence, wait, f"{hour.wait_most:.1f}",
        f"{hour.queue_mean:.1f} / {hour.queue_most}",
    ]  # fmt: skip
