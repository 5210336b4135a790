"""The figures of a run as tables, in the reader's language."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from eval.answers.scores import Score
from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "answers": ("Answers", "回答质量"),
    "found": ("Documents found", "检索结果"),
    "set": ("set", "题集"),
    "figure_of_sets": ("figure (mean of the sets)", "指标（各题集平均）"),
    "figure": ("figure", "指标"),
    "value": ("value", "数值"),
    "kind": ("kind {kind} ({n})", "题型 {kind}（{n} 题）"),
    "latency": ("Latency, milliseconds", "延迟（毫秒）"),
    "stage": ("stage", "阶段"),
    "count": ("n", "次数"),
    "error": ("failed: {what}", "失败：{what}"),
    "not_right": ("not right: {question_id} ({kind})", "答错：{question_id}（{kind}）"),
    "not_right_refused": ("not right: {question_id} ({kind}, refused)", "答错：{question_id}（{kind}，误拒）"),
    "model": ("model: {model}", "模型：{model}"),
    "stand_in": (
        "model: {model} (a stand-in: these are not DeepSeek-R1's figures)",
        "模型：{model}（替代模型：以上不是 DeepSeek-R1 的数据）",
    ),
    "no_model": ("no model was called", "未调用模型"),
    "records": ("every question's record: {records}", "逐题记录：{records}"),
    "questions": ("questions", "题目"),
    "large": ("A large knowledge base", "大型知识库"),
    "large_writing": ("writing passages", "写入片段"),
    "large_indexing": ("making the index", "建立索引"),
    "large_searching": ("searching", "检索"),
    "large_changing": ("changing a document", "更新文档"),
    "nothing_measured": ("Interrupted; nothing was measured.", "已中断，未得出结果。"),
    "as_many": (
        "--corpus and --questions are given in pairs: {corpora} and {questions}",
        "--corpus 与 --questions 须成对给出：现为 {corpora} 个与 {questions} 个",
    ),
    "interrupted": (
        "Interrupted; the answers so far are kept. Go on with: python -m eval --run {run}",
        "已中断，已有回答均已保存。继续运行：python -m eval --run {run}",
    ),
}
_APART = ("latency_ms", "by_kind", "errors", "model", "stand_in", "records")


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)


def question_bar(console: Console, *, disable: bool = False) -> Progress:
    """Return a bar that counts questions and tells the time that is left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=disable)


def print_report(summary: Mapping[str, object], wrong: Sequence[Score], console: Console, language: Language) -> None:
    """Print what ``eval.answers.scores.summarise`` gave; the model's line says when it is a stand-in."""
    console.print(_figures(summary, language))
    console.print(_latency(summary, language))
    errors = summary["errors"]
    assert isinstance(errors, list)
    lines = [words("error", language, what=what) for what in errors]
    lines += [
        words(
            "not_right_refused" if item.refused else "not_right", language, question_id=item.question_id, kind=item.kind
        )
        for item in wrong
        if not item.error
    ]
    model = summary["model"] or words("no_model", language)
    lines.append(words("stand_in" if summary["stand_in"] else "model", language, model=model))
    lines.append(words("records", language, records=summary["records"]))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _figures(summary: Mapping[str, object], language: Language) -> Table:
    table = Table(words("figure", language), words("value", language), title=words("answers", language))
    for name, value in _flat(summary, skip=_APART):
        table.add_row(name, value)
    kinds = summary["by_kind"]
    assert isinstance(kinds, dict)
    for kind, values in kinds.items():
        table.add_row(words("kind", language, kind=kind or "-", n=values["n"]), _share(values["accuracy"]))
    return table


def _latency(summary: Mapping[str, object], language: Language) -> Table:
    titles = (words("stage", language), words("count", language), "p50", "p95", "p99")
    table = Table(*titles, title=words("latency", language))
    stages = summary["latency_ms"]
    assert isinstance(stages, dict)
    for stage, values in stages.items():
        table.add_row(stage, *(str(values[name]) for name in ("n", "p50", "p95", "p99")))
    return table


def _flat(values: Mapping[str, object], skip: Sequence[str], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if name in skip:
            continue
        if isinstance(value, Mapping):
            rows += _flat(value, skip, prefix=f"{prefix}{name}.")
        else:
            rows.append((prefix + name, _share(value)))
    return rows


def _share(value: object) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
