"""What ``python -m ingest`` says, in both languages with the same placeholders."""

from rag.schema import Language

_WORDS: dict[str, tuple[str, str]] = {
    "reading": ("Reading", "读取"),
    "embedding": ("Embedding", "向量化"),
    "publishing": ("Publishing", "发布"),
    "files": ("{done}/{total} files", "{done}/{total} 个文件"),
    "passages": ("{done}/{total} passages, {rate:.1f}/s", "{done}/{total} 个片段，每秒 {rate:.1f} 个"),
    "counts": (
        "Added {added}, changed {changed}, unchanged {unchanged}, moved {moved}, retired {retired}, failed {failed}.",
        "新增 {added}，更新 {changed}，未变 {unchanged}，移动 {moved}，移除 {retired}，失败 {failed}。",
    ),
    "published": (
        "Knowledge base {name}, generation {generation}: {documents} documents, {chunks} passages.",
        "知识库 {name}，第 {generation} 代：{documents} 篇文档，{chunks} 个片段。",
    ),
    "unchanged": (
        "Nothing has changed: knowledge base {name} stays at generation {generation}, "
        "{documents} documents, {chunks} passages.",
        "内容没有变化：知识库 {name} 仍为第 {generation} 代，{documents} 篇文档，{chunks} 个片段。",
    ),
    "speed": (
        "Embedded {embedded} passages; {seconds:.1f} s in all, {rate:.1f} passages a second.",
        "向量化 {embedded} 个片段；共 {seconds:.1f} 秒，每秒 {rate:.1f} 个。",
    ),
    "no_embedding": ("No passage was new; {seconds:.1f} s in all.", "没有新片段；共 {seconds:.1f} 秒。"),
    "missing": (
        "{missing} known documents were not found any more; retire them with --prune.",
        "有 {missing} 篇已知文档不在了，可用 --prune 移除。",
    ),
    "unsupported": (
        "Left out, for this kind of file is not supported: {kinds}",
        "已跳过不支持的文件类型：{kinds}",
    ),
    "no_ending": ("without an ending", "无扩展名"),
    "stopped": (
        "Stopped; nothing was published, and the former knowledge base serves on.",
        "已停止；本次没有发布任何内容，原有知识库仍可使用。",
    ),
}


def words(key: str, language: Language, **values: object) -> str:
    """Return the text of a key in one language, filled in."""
    return _WORDS[key][1 if language == "zh" else 0].format(**values)
