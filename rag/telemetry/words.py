"""Messages about trace export, in both languages with the same placeholders."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "extra_missing": (
        "Answers are not traced: the packages for it are missing; install them with: pip install 'answerdesk[otel]'",
        "未导出追踪：缺少所需的软件包，请运行：pip install 'answerdesk[otel]'",
    ),
    "collector_fails": (
        "The collector at {collector} does not take the traces of answers; they are dropped until it does.",
        "收集器 {collector} 未接收回答的追踪数据，在其恢复之前这些数据将被丢弃。",
    ),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
