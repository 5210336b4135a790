"""``python -m rag latency``: how long each stage of the desk's answers takes, and whether evidence comes in time."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from rag.errors import SettingsError
from rag.percentiles import Percentiles
from rag.schema import Language
from rag.storage.turn_times import EVIDENCE, TurnTimesTable
from rag.tracing import STAGES

EVIDENCE_LIMIT_MS = 1000.0
EVIDENCE_SHARE = 0.99
_SECONDS = {"m": 60, "h": 3600, "d": 86400}

_WORDS: dict[str, dict[Language, str]] = {
    "title": {"en": "Turns since {since}: {turns}", "zh": "{since} 以来的提问：{turns}"},
    "always": {"en": "the beginning", "zh": "开始"},
    "stage": {"en": "stage, ms", "zh": "阶段（毫秒）"},
    "n": {"en": "n", "zh": "次数"},
    "no_turns": {"en": "none", "zh": "无"},
    "objective": {
        "en": "Evidence within {limit:g} ms for {share:g} %: {met} of {n} ({seen}). Burn: {burn}.",
        "zh": "{share:g} % 的提问在 {limit:g} 毫秒内显示资料：{n} 次中 {met} 次（{seen}）。消耗速度：{burn}。",
    },
    "burn": {
        "en": "A burn of 1 uses up exactly what the objective allows to be late; above 1 it is missed.",
        "zh": "消耗速度为 1 时恰好用完目标允许的超时次数，大于 1 表示未达标。",
    },
    "done": {"en": "answered", "zh": "已回答"},
    "refused": {"en": "refused", "zh": "未找到答案"},
    "failed": {"en": "failed", "zh": "失败"},
    "stopped": {"en": "stopped", "zh": "已停止"},
    "queued": {"en": "waiting", "zh": "等待中"},
    "searching": {"en": "searching", "zh": "检索中"},
    "thinking_now": {"en": "thinking now", "zh": "思考中"},
    "answering": {"en": "being written", "zh": "生成中"},
    "evidence": {"en": "evidence", "zh": "资料显示"},
    "embed": {"en": "embed", "zh": "向量化"},
    "search": {"en": "search", "zh": "检索"},
    "pack": {"en": "pack", "zh": "整理资料"},
    "wait": {"en": "wait for a slot", "zh": "排队"},
    "load": {"en": "load the model", "zh": "加载模型"},
    "prompt": {"en": "prompt", "zh": "读取提示"},
    "thinking": {"en": "thinking", "zh": "思考"},
    "answer": {"en": "answer", "zh": "生成回答"},
    "citations": {"en": "citations", "zh": "核对引用"},
    "total": {"en": "total", "zh": "合计"},
}


@dataclass(frozen=True, slots=True)
class Objective:
    """Evidence within ``limit_ms`` for a ``share`` of the questions.

    ``met`` of ``n`` were in time; one that failed before its evidence was not.  ``burn`` is the share of late ones over
    the share that may be late; None without a question.
    """

    limit_ms: float
    share: float
    n: int
    met: int
    burn: float | None


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """The stages that occurred, ``evidence`` first, and the objective."""

    since: datetime | None
    turns: dict[str, int]
    stages: dict[str, Percentiles]
    objective: Objective

    def to_json(self) -> dict[str, object]:
        """Return plain values, ready for ``json.dumps``."""
        return asdict(self) | {"since": self.since.isoformat() if self.since is not None else None}


def measure_latency(times: TurnTimesTable, since: datetime | None = None) -> LatencyReport:
    """Read the turns that were asked at ``since`` (with a zone: UTC) or later."""
    measured = {stage: times.durations_ms(stage, since) for stage in (EVIDENCE, *STAGES)}
    return LatencyReport(
        since,
        times.outcomes(since).turns,
        {stage: Percentiles.of(durations) for stage, durations in measured.items() if durations},
        objective_of(measured[EVIDENCE], times.failed_without_evidence(since)),
    )


def objective_of(evidence_ms: list[float], failed: int) -> Objective:
    """Hold times until evidence against the objective; ``failed`` had none.

    >>> objective_of([20.0] * 98 + [1500.0], failed=1).burn
    2.0
    """
    n = len(evidence_ms) + failed
    met = sum(one <= EVIDENCE_LIMIT_MS for one in evidence_ms)
    burn = round((n - met) / n / (1 - EVIDENCE_SHARE), 2) if n else None
    return Objective(EVIDENCE_LIMIT_MS, EVIDENCE_SHARE, n, met, burn)


def stage_words(stage: str, language: Language) -> str:
    """Return what a stage is called."""
    return _WORDS[stage][language] if stage in _WORDS else stage


def since_of(text: str | None, now: datetime, language: Language) -> datetime | None:
    """Return the beginning of a window such as ``90m``, ``24h`` or ``7d``; None for None.  Raises ``SettingsError``."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if found is None:
        reason = {
            "en": f"--since: {text} is no time like 90m, 24h or 7d",
            "zh": f"--since：{text} 不是形如 90m、24h 或 7d 的时间",
        }[language]
        raise SettingsError(reason=reason)
    return now - timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def show_latency(report: LatencyReport, language: Language, console: Console) -> None:
    """Print the report as a table with the objective under it."""
    since = f"{report.since:%Y-%m-%d %H:%M} UTC" if report.since is not None else _WORDS["always"][language]
    states = {state: _WORDS["thinking_now" if state == "thinking" else state][language] for state in report.turns}
    turns = {"en": ", ", "zh": "，"}[language].join(
        f"{count} {states[state]}" for state, count in sorted(report.turns.items())
    )
    title = _WORDS["title"][language].format(since=since, turns=turns or _WORDS["no_turns"][language])
    console.print(title, highlight=False)
    table = Table()
    table.add_column(_WORDS["stage"][language])
    for column in (_WORDS["n"][language], "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    for stage, found in report.stages.items():
        row = [f"{value:,.1f}" for value in (found.p50, found.p95, found.p99) if value is not None]
        table.add_row(_WORDS[stage][language], str(found.n), *row)
    console.print(table)
    objective = report.objective
    seen = f"{100 * objective.met / objective.n:.2f} %" if objective.n else "-"
    burn = f"{objective.burn:g}" if objective.burn is not None else "-"
    console.print(
        _WORDS["objective"][language].format(
            limit=objective.limit_ms,
            share=100 * objective.share,
            met=objective.met,
            n=objective.n,
            seen=seen,
            burn=burn,
        ),
        highlight=False,
    )
    console.print(_WORDS["burn"][language], highlight=False)
