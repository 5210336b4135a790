"""Why the knowledge base cannot serve or be written."""

from typing import ClassVar

from rag.errors.base import AnswerdeskError, printable
from rag.schema import Language


class KnowledgeError(AnswerdeskError):
    """The knowledge base cannot serve or be written."""

    exit_code = 3


class KnowledgeBaseMissing(KnowledgeError):
    """No generation has been published in ``folder``."""

    en = "There is no knowledge base in {folder} yet; create it with: python -m ingest FOLDER"
    zh = "{folder} 中尚无知识库，请先运行：python -m ingest 文件夹"


class KnowledgeBaseNewer(KnowledgeError):
    """The database is at schema version ``found``; this program knows up to ``known``."""

    en = "The data was written by a newer version of this program (format {found}, known {known}); please update it."
    zh = "数据由更新版本的程序写入（格式 {found}，本程序支持到 {known}），请升级程序。"


class AccessDenied(KnowledgeError):
    """Knowledge base ``name`` is for readers who hold ``scope``, and this one does not."""

    en = "The knowledge base {name} is for {scope} only; ask whoever runs this installation for access."
    zh = "知识库 {name} 仅限 {scope} 使用，请联系管理员开通权限。"


class AccessUnsettled(AccessDenied):
    """Whom knowledge base ``name`` is for is not known any more: only an admin who may read everything gets in."""

    en = (
        "It is not known any more who may read the knowledge base {name}, so only admins who may read everything can; "
        "say who may with: python -m ingest --kb {name} --scope NAME"
    )
    zh = (
        "知识库 {name} 的访问范围已丢失，目前仅限拥有全部权限的管理员使用；"
        "请重新设置：python -m ingest --kb {name} --scope 名称"
    )


class EmbedderMismatch(KnowledgeError):
    """The index was built by ``found`` and this program would search it with ``expected``."""

    en = (
        "The index was built with the embedder {found}, but {expected} is in use; "
        "rebuild it with: python -m ingest --rebuild FOLDER"
    )
    zh = "索引由向量模型 {found} 建立，而当前使用的是 {expected}；请重建：python -m ingest --rebuild 文件夹"


class IndexDamaged(KnowledgeError):
    """A file of a published generation is missing or fails its checksum; ``reason`` says which."""

    en = "The knowledge base's index is damaged ({reason}); rebuild it with: python -m ingest --rebuild FOLDER"
    zh = "知识库索引已损坏（{reason}）；请重建：python -m ingest --rebuild 文件夹"


class GenerationGone(KnowledgeError):
    """``generation`` cannot be served again; those from ``oldest`` to ``newest`` can."""

    en = "Generation {generation} cannot come back; those from {oldest} to {newest} can: python -m ingest --history"
    zh = "第 {generation} 代无法恢复，可恢复第 {oldest} 至 {newest} 代：python -m ingest --history"


class NoRegressionQuestions(KnowledgeError):
    """``name``, a knowledge base or a file, has no question that names the document of its answer."""

    en = "{name} has no questions that name a relevant document; give some: python -m ingest --questions FILE.jsonl"
    zh = "{name} 中没有注明相关文档的问题；请先运行：python -m ingest --questions 文件.jsonl"


class CuratedMissing(KnowledgeError):
    """No curated answer has this ``number``."""

    en = "There is no curated answer no. {number}; see which there are with: python -m rag curated list"
    zh = "没有编号为 {number} 的人工答案，可用以下命令查看：python -m rag curated list"


class CuratedUnusable(KnowledgeError):
    """An answer that somebody wrote cannot be kept; ``reason`` is one of the keys in ``REASONS``."""

    en = "This answer cannot be kept: {reason}"
    zh = "无法保存该答案：{reason}"
    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "empty": ("question and answer need words", "问题和答案都不能为空"),
        "long": ("it is longer than 20,000 characters", "答案超过 20000 个字符"),
        "no_document": ("there is no document {where}", "知识库中没有文档 {where}"),
    }

    def __init__(self, *, reason: str, where: str = "") -> None:
        if reason not in self.REASONS:
            raise ValueError(f"unknown reason {reason!r}; known: {sorted(self.REASONS)}")
        super().__init__(reason=reason, where=where)

    def text(self, language: Language) -> str:
        """Return the sentence with the reason in words."""
        place = 1 if language == "zh" else 0
        reason = self.REASONS[str(self.details["reason"])][place].format(where=printable(str(self.details["where"])))
        return (self.en, self.zh)[place].format(reason=reason)


class StorageFull(KnowledgeError):
    """The disk under ``folder`` has no room left."""

    en = "The disk holding {folder} is full; nothing was published and the previous knowledge base still serves."
    zh = "{folder} 所在磁盘已满；本次没有发布任何内容，原有知识库仍可使用。"


class NoRoomToOpen(StorageFull):
    """The disk under ``folder`` is so full that SQLite cannot even make the small file through which readers share."""

    en = "The disk holding {folder} is full, so not even reading can begin; free a few megabytes. Nothing was lost."
    zh = "{folder} 所在磁盘已满，连读取也无法开始；请腾出几 MB 空间后重试，数据没有丢失。"
