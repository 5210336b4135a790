"""The command: what is enough, what is used up first, the room, the price, and a real run beside itself simulated."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from eval.bench.load.records import Block, LoadRecord
from eval.bench.load.rounds import poisson_seconds
from eval.bench.simulate.against import compare_with
from eval.bench.simulate.command import main
from eval.bench.simulate.day import Inputs, begins, origins
from eval.bench.simulate.report import Prices
from eval.bench.simulate.sizing import INDEX_LIMIT, PassageBytes, plan_for, room_for, uses_of
from eval.core.runs import Run
from rag.retrieval import postings
from rag.schema import SpanTime

TEAM = Inputs(agents=50, slots=2, tokens_per_second=10, answer_tokens=60, wait_seconds=5)


@pytest.mark.slow
def test_the_plan_is_the_smallest_that_meets_its_targets() -> None:
    plan = plan_for(TEAM, days=2)
    assert plan is not None
    assert max(plan.waits_p90) <= TEAM.wait_seconds
    one_less = plan_for(TEAM, hosts=plan.hosts - 1, desks=plan.desks, days=2) if plan.hosts > 1 else None
    assert one_less is None or max(one_less.waits_p90) > TEAM.wait_seconds
    assert plan.uses[0].resource == "model"
    assert [use.share for use in plan.uses] == sorted((use.share for use in plan.uses), reverse=True)


def test_uses_by_hand() -> None:
    """1,000 agents ask 60,000 questions a day, 9,000 in the peak hour: 2.5 a second."""
    uses = {use.resource: use for use in uses_of(Inputs(), hosts=1, desks=2)}
    assert uses["model"].share == pytest.approx(2.5 * 0.85 / 10)
    assert uses["desks"].share == pytest.approx(2.5 * 0.105 / 2)
    assert uses["memory"].share == pytest.approx(12.9 / 32)
    assert uses["connections"].share == pytest.approx(0.36)
    assert uses["queue"].share == pytest.approx(2.5 * 0.0044)
    assert uses["queue"].questions_per_second == pytest.approx(1 / 0.0044)


def test_no_number_of_machines_helps_where_one_answer_is_too_slow_for_its_queue() -> None:
    assert plan_for(Inputs(agents=10_000_000, tokens_per_second=0.1), days=1) is None


def test_room_by_hand() -> None:
    room = room_for(100_000_000, PassageBytes(5000, 2000), languages=2, gigabits=10)
    assert room.desk_disk == 1000e9
    assert room.desk_memory == 200e9
    assert room.server_disk == 1000e9
    assert room.transfer_seconds == 400
    assert room.bases == 3
    assert INDEX_LIMIT == postings._ROWS_AT_MOST


def test_prices_are_the_users() -> None:
    plan = plan_for(TEAM, hosts=3, desks=2, days=1)
    assert plan is not None
    assert Prices().of(plan) is None
    assert Prices(host=2.0, desk=0.5, hours=10).of(plan) == 70.0
    assert Prices(host=2.0, desk=0.5, database=1.0, hours=10).of(plan) == 80.0


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "said"), [("C.UTF-8", "Used up first: model slots"), ("zh_CN.UTF-8", "模型并行槽")])
def test_the_command_says_it_in_both_languages(
    locale: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    written, page = tmp_path / "day.json", tmp_path / "day.html"
    options = ["--agents", "50", "--slots", "2", "--tokens-per-second", "10", "--days", "1", "--host-price", "2"]
    assert main([*options, "--passages", "1000", "--json", str(written), "--html", str(page)]) == 0
    assert said in capsys.readouterr().out
    figures = json.loads(written.read_text())
    assert figures["inputs"]["agents"] == 50
    assert figures["cost"] == figures["hosts"] * 2 * 730
    assert figures["room"]["passages"] == 1000
    assert page.read_text().count("<svg") == 3


def test_what_cannot_be_is_refused_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--agents", "0"]) == 2
    assert "agents must be above 0" in capsys.readouterr().err
    assert main(["--days", "0"]) == 2
    with pytest.raises(SystemExit):
        main(["--hourly", "1,2"])


def test_every_figure_has_its_source() -> None:
    assert set(origins()) == set(asdict(Inputs()))
    assert all(origin.source and origin.unit for origin in origins().values())


def kept_run(folder: Path, waits: list[float], **identity: object) -> Run:
    """Keep a run of the load test whose answers hold a slot for two seconds."""
    folder.mkdir()
    values = {"command": "load", "slots": 1, "seconds": 600, "per_minute": 20, "sessions": 4, **identity}
    (folder / "run.json").write_text(json.dumps(values))
    records = [
        LoadRecord("desk", 0, 0, "q", 0.0, 20.0, None, 1000 * (wait + 2.1), "answered",
                   spans=(SpanTime("wait", 1000 * wait), SpanTime("prompt", 500.0), SpanTime("answer", 1500.0)))
        for wait in waits
    ]  # fmt: skip
    lines = [*records, Block("desk", 0, 600.0)]
    (folder / "records.jsonl").write_text("".join(json.dumps(asdict(one)) + "\n" for one in lines))
    return Run(folder)


@pytest.mark.slow
def test_a_run_that_waited_as_theory_says_lies_inside(tmp_path: Path) -> None:
    arrivals = np.array(poisson_seconds(20, 600, seed=3))
    waits = begins(arrivals, np.full(len(arrivals), 2.0), 1) - arrivals
    assert all(row.is_inside for row in compare_with(kept_run(tmp_path / "open", waits.tolist())))
    closed = kept_run(tmp_path / "closed", [6.0 - 0.1] * 100, per_minute=None)  # three others before each
    assert {row.name: round(row.simulated, 1) for row in compare_with(closed)} == {"mean": 5.8, "p50": 5.9, "p90": 5.9}


@pytest.mark.slow
def test_a_run_that_waited_otherwise_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = kept_run(tmp_path / "slow", [30.0] * 200)
    assert not any(row.is_inside for row in compare_with(run))
    assert main(["--against", str(run.folder)]) == 1
    assert "NO" in capsys.readouterr().out
    assert main(["--against", str(kept_run(tmp_path / "few", [1.0] * 3).folder)]) == 2
