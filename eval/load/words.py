"""The sentences of the load test, in both languages."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "gpu_serving": (
        "A stand-in for a GPU, not a model, answers at {url} as {model}: {slots} slots, {first:g} ms to the first "
        "token, {rate:g} tokens/s a slot, {answer} tokens an answer. Ctrl-C ends it.",
        "GPU 计时替身（不是模型）已在 {url} 启动，模型名 {model}：{slots} 个并行槽，首词元 {first:g} 毫秒，"
        "每槽 {rate:g} 词元/秒，每个回答 {answer} 词元。按 Ctrl-C 结束。",
    ),
    "gpu_port": ("port {port} is in use; give another with --port", "端口 {port} 已被占用，请用 --port 指定其他端口"),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
