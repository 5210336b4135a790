"""The sentences of ``python -m eval ingest``, in both languages."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Ingest, against its bars", "导入性能与指标"),
    "what": ("what", "项目"),
    "measured": ("measured", "实测"),
    "bar": ("bar", "指标"),
    "met": ("met", "达标"),
    "yes": ("yes", "是"),
    "no": ("NO", "否"),
    "encoder": (
        "chunks a second end to end / the encoder alone",
        "端到端每秒片段数 / 仅编码器",
    ),
    "langchain": (
        "chunks a second / LangChain's stock pipeline",
        "每秒片段数 / LangChain 标准流程",
    ),
    "unchanged": ("second run over unchanged documents", "未变文档的第二次导入"),
    "memory": (
        "peak memory less the index, many chunks / a tenth of them",
        "内存峰值（不计索引），大量片段 / 其十分之一",
    ),
    "kills": (
        "killed at a random moment: sound, and complete after the next run",
        "随机时刻强制终止后完好，且下次导入补全",
    ),
    "generated": (
        "Vectors in the last three parts are generated: they measure files, database and memory, not the encoder.",
        "后三项使用生成的向量：只衡量文件、数据库与内存，不衡量编码器。",
    ),
    "load": (
        "Load of the machine (1, 5, 15 minutes): {before} before, {after} after.",
        "机器负载（1、5、15 分钟）：之前 {before}，之后 {after}。",
    ),
    "writing corpus": ("writing documents", "生成文档"),
    "encoding": ("the encoder alone", "仅编码器"),
    "ingesting": ("ingesting", "导入"),
    "ingesting again": ("ingesting again", "再次导入"),
    "running langchain": ("LangChain's pipeline", "LangChain 流程"),
    "killing": ("killing", "强制终止"),
    "seed": ("Seed {seed}.", "随机种子 {seed}。"),
    "child failed": ("{what} ended with code {code}: {said}", "{what} 以代码 {code} 结束：{said}"),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of ``key`` with its placeholders filled."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
