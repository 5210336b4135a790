"""``python -m eval simulate``: a day of many agents, before machines that nobody has yet."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

from rich.console import Console

from eval.bench.simulate.against import compare_with
from eval.bench.simulate.day import HOURS, WORKING_DAY, Inputs, origins
from eval.bench.simulate.report import (
    Prices,
    figures,
    page,
    print_comparison,
    print_inputs,
    print_plan,
    print_room,
    words,
)
from eval.bench.simulate.sizing import PassageBytes, plan_for, room_for
from eval.commands.shared import command_parser, counted_steps, exit_code, print_line, write_json, write_text
from eval.core.runs import Run
from rag.errors import SettingsError
from rag.settings import load_settings
from rag.terminal import terminal_language

_EXAMPLES = """\
examples:
  python -m eval simulate                                        a thousand agents before the stand-in for a GPU
  python -m eval simulate --thinking-tokens 256 --tokens-per-second 30 --slots 8 --host-price 2.5 --desk-price 0.2
  python -m eval simulate --slots 1 --first-token-seconds 0 --tokens-per-second 7.74   a CPU host: 7.75 s an answer
  python -m eval simulate --agents 50 --hosts 1 --desks 1        what one host and one desk are good for
  python -m eval simulate --passages 100000000 --html day.html   and the room for a large knowledge base
  python -m eval simulate --against monday                       a run of `python -m eval load` beside itself simulated

Figures of the kind "yours" are of machines that you plan: measure them there. Prices are yours, too.

exit codes: 0 simulated, 1 no number of machines is enough, or a measured wait lies outside, 2 usage, 130 interrupted"""


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "simulate", "Simulate a day's questions; say how many hosts and desks they need.  多坐席容量模拟", _EXAMPLES
    )
    usual = Inputs()
    for one in fields(Inputs):
        value, origin = getattr(usual, one.name), origins()[one.name]
        parser.add_argument(
            f"--{one.name.replace('_', '-')}",
            type=int if one.type is int else float,
            default=value,
            metavar="N",
            help=f"{origin.unit}, {origin.kind}: {origin.source} (default: {value:g})".replace("%", "%%"),
        )
    parser.add_argument("--hosts", type=int, default=0, metavar="N", help="model hosts; 0: the fewest  模型主机数")
    parser.add_argument("--desks", type=int, default=0, metavar="N", help="desks; 0: the fewest  工作台数")
    parser.add_argument(
        "--hourly", type=_hourly, default=WORKING_DAY, metavar="LIST", help="24 shares, comma-separated  每小时占比"
    )
    parser.add_argument("--days", type=int, default=3, metavar="N", help="drawn anew (default: 3)  天数")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn by chance  随机种子")
    parser.add_argument("--passages", type=int, default=0, metavar="N", help="room for so many  段落数")
    parser.add_argument("--languages", type=int, default=2, metavar="N", help="of the passages (default: 2)  语言数")
    parser.add_argument("--network-gigabits", type=float, default=1.0, metavar="N", help="a second (default: 1)  带宽")
    for one in fields(PassageBytes):
        value = getattr(PassageBytes(), one.name)
        name = f"--passage-{one.name}-bytes"
        parser.add_argument(name, type=float, default=value, metavar="N", help=f"measured (default: {value:g})")
    for name in ("host", "desk", "database"):
        parser.add_argument(f"--{name}-price", type=float, metavar="N", help="an hour, in your money  每小时价格")
    parser.add_argument("--hours", type=float, default=730.0, metavar="N", help="paid for (default: 730)  计费小时")
    parser.add_argument("--against", metavar="RUN", help="a run of python -m eval load  对照的压测")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the day's plots to FILE  写出图表")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def _hourly(value: str) -> tuple[float, ...]:
    shares = tuple(float(part) for part in value.split(","))
    if len(shares) != HOURS or min(shares) < 0 or sum(shares) <= 0:
        raise argparse.ArgumentTypeError(value)
    return shares


def _inputs(arguments: argparse.Namespace) -> Inputs:
    """Return the day's figures.  Raises ``SettingsError`` naming one that is out of range."""
    counts = (arguments.hosts, arguments.desks, arguments.passages, arguments.days - 1, arguments.languages - 1)
    if min(counts) < 0 or arguments.network_gigabits <= 0:
        raise SettingsError(reason=words("usage", terminal_language()))
    try:
        return replace(Inputs(), **{one.name: getattr(arguments, one.name) for one in fields(Inputs)})
    except ValueError as error:
        raise SettingsError(reason=str(error)) from error


def _simulate(arguments: argparse.Namespace, console: Console) -> bool:
    language = terminal_language()
    if arguments.against:
        rows = compare_with(Run.find(arguments.against, load_settings()), arguments.seed)
        print_comparison(rows, console, language)
        write_json(arguments.json, {"against": [asdict(row) for row in rows]})
        return all(row.is_inside for row in rows)
    inputs = _inputs(arguments)
    print_inputs(inputs, console, language)
    with counted_steps(console, words("playing", language), None) as advance:
        plan = plan_for(
            inputs,
            hosts=arguments.hosts,
            desks=arguments.desks,
            days=arguments.days,
            seed=arguments.seed,
            hourly=arguments.hourly,
            told=advance,
        )
    prices = Prices(arguments.host_price, arguments.desk_price, arguments.database_price, arguments.hours)
    more: dict[str, object] = {}
    if plan is None:
        print_line(console, words("not_enough", language))
    else:
        print_plan(plan, inputs, prices, console, language)
        more["cost"] = prices.of(plan)
        if arguments.html is not None:
            write_text(arguments.html, page(plan, inputs, prices, language))
    if arguments.passages:
        each = PassageBytes(*(getattr(arguments, f"passage_{one.name}_bytes") for one in fields(PassageBytes)))
        room = room_for(arguments.passages, each, languages=arguments.languages, gigabits=arguments.network_gigabits)
        print_room(room, console, language)
        more["room"] = asdict(room)
    write_json(arguments.json, figures(plan, inputs, more))
    return plan is not None


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    return exit_code(lambda: 0 if _simulate(arguments, Console()) else 1)
