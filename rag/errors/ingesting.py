"""Why files do not come into the knowledge base."""

from collections.abc import Mapping
from typing import ClassVar

from rag.errors.base import printable
from rag.errors.knowledge import KnowledgeError
from rag.schema import Language


class IngestRunning(KnowledgeError):
    """Another process (``holder``) is writing this knowledge base."""

    en = "Another ingest is writing this knowledge base ({holder}); wait for it to end and run again."
    zh = "另一个导入任务正在写入该知识库（{holder}），请等它结束后重试。"


class IngestStopped(KnowledgeError):
    """Somebody stopped an ingest, or its process was ended."""

    en = "The import was stopped before its end; what was published before still serves."
    zh = "导入在完成前已停止；此前发布的知识库仍可使用。"


class UploadUnusable(KnowledgeError):
    """A file that was handed in has a name, ``name``, of which nothing can be kept."""

    en = "The file {name} cannot be kept under this name; rename it."
    zh = "文件 {name} 的名称无法使用，请重命名。"


class UploadsUsedUp(KnowledgeError):
    """One person handed in as much within a day as they may: ``files`` files, or ``megabytes`` MB."""

    en = (
        "Nothing was uploaded: one person may upload {files} files and {megabytes} MB a day. Upload less, try again "
        "tomorrow, or have an admin run: python -m ingest FOLDER"
    )
    zh = (
        "未上传任何文件：每人每天最多上传 {files} 个文件、共 {megabytes} MB。"
        "请减少文件或明天再试，也可请管理员运行：python -m ingest FOLDER"
    )


class OwnFilesWaiting(KnowledgeError):
    """``waiting`` files of the same person wait to be read already: as many as one person may have."""

    en = "{waiting} of your files are waiting to be read already; wait for one of them or stop it, then add this one."
    zh = "您已有 {waiting} 个文件在等待读取，请等其中一个完成或停止后，再添加这个文件。"


class SourceMissing(KnowledgeError):
    """A path given to ingest does not exist."""

    en = "There is no file or folder {path}."
    zh = "找不到文件或文件夹 {path}。"


class NothingToIngest(KnowledgeError):
    """No readable document under the given paths, and no knowledge base to keep."""

    en = "No readable document was found in {path}."
    zh = "{path} 中没有可读取的文档。"


class DocumentUnreadable(KnowledgeError):
    """One file cannot be read; the others go on.  ``reason`` is one of the keys in ``REASONS``."""

    en = "{path} could not be read: {reason}"
    zh = "无法读取 {path}：{reason}"
    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "empty": ("it holds no text", "文件中没有文字"),
        "picture": (
            "it holds pictures in which no words were found",
            "文件只有图片，且图片中没有识别出文字",
        ),
        "encoding": ("its encoding is unknown; save it as UTF-8", "无法识别文件编码，请另存为 UTF-8"),
        "encrypted": (
            "it is protected by a password; save it without one, or name it in ANSWERDESK_PASSWORDS_FILE",
            "文件有密码保护；请另存为无密码的文件，或在 ANSWERDESK_PASSWORDS_FILE 中提供密码",
        ),
        "malformed": (
            "it is damaged or not of the kind its name says; export it anew",
            "文件已损坏，或与扩展名不符，请重新导出",
        ),
        "row": ("a row is not valid JSON with id and text", "某一行不是含有 id 和 text 的有效 JSON"),
        "too_large": (
            "it is larger than the limit; split it, or raise ANSWERDESK_DOCUMENT_LIMIT_MEGABYTES",
            "文件超过大小限制；请拆分文件，或调高 ANSWERDESK_DOCUMENT_LIMIT_MEGABYTES",
        ),
        "bomb": (
            "unpacked it is larger than the limit; split it, or raise ANSWERDESK_UNPACKED_LIMIT_MEGABYTES",
            "文件解压后超过大小限制；请拆分文件，或调高 ANSWERDESK_UNPACKED_LIMIT_MEGABYTES",
        ),
        "too_many": (
            "it holds more files or rows than the limit; split it, or raise ANSWERDESK_ARCHIVE_LIMIT_ENTRIES",
            "其中的文件或条目过多；请拆分文件，或调高 ANSWERDESK_ARCHIVE_LIMIT_ENTRIES",
        ),
        "too_deep": (
            "archives are nested too deeply; unpack it, or raise ANSWERDESK_ARCHIVE_LIMIT_DEPTH",
            "压缩包嵌套层数过多；请先解压，或调高 ANSWERDESK_ARCHIVE_LIMIT_DEPTH",
        ),
        "unsafe_name": (
            "its name in the archive leads out of the archive; pack it anew",
            "它在压缩包中的路径指向压缩包之外，请重新打包",
        ),
        "too_many_pages": (
            "only its first scanned pages were read; split it, or raise ANSWERDESK_OCR_LIMIT_PAGES",
            "扫描页超过识别上限，其余页未读取；可调高 ANSWERDESK_OCR_LIMIT_PAGES",
        ),
        "too_slow": (
            "reading it takes too long; split it, or raise ANSWERDESK_READING_TIMEOUT_SECONDS",
            "读取时间过长；请拆分文件，或调高 ANSWERDESK_READING_TIMEOUT_SECONDS",
        ),
        "cut_too_slow": (
            "cutting it into passages takes too long; split it, or raise ANSWERDESK_CUTTING_TIMEOUT_SECONDS",
            "切分段落耗时过长；请拆分文件，或调高 ANSWERDESK_CUTTING_TIMEOUT_SECONDS",
        ),
        "too_much_memory": (
            "reading it takes too much memory; split it, or raise ANSWERDESK_READING_MEMORY_MEGABYTES",
            "读取所需内存过多；请拆分文件，或调高 ANSWERDESK_READING_MEMORY_MEGABYTES",
        ),
        "permission": ("reading it is not permitted", "没有读取权限"),
        "term": (
            "one of its days is not certain, so it is taken to hold without it; write it as YYYY-MM-DD",
            "其中的生效或失效日期无法确定，暂按不限期处理；请写成 YYYY-MM-DD 格式",
        ),
        "duplicate": ("another row of the file has the same id", "文件中另一行使用了相同的 id"),
        "loop": ("the link leads back to itself or into a folder above it", "链接指向自身或上级文件夹"),
        "dangling": ("the link leads to nothing", "链接指向的文件不存在"),
        "replaced": ("it was replaced by a link while it was being read", "读取过程中文件被替换为链接"),
        "name": ("its name is not UTF-8; rename it", "文件名不是 UTF-8 编码，请重命名"),
        "no_file": ("it is a pipe, a socket or a device, not a file", "它是管道、套接字或设备，不是文件"),
        "gone": ("it disappeared while it was being read", "读取时文件已不存在"),
        "device": ("the disk reports an error", "磁盘读取出错"),
        "unsupported": ("this kind of file is not supported", "不支持该类型的文件"),
    }

    _READ_ALL_THE_SAME: ClassVar[Mapping[Language, str]] = {
        "en": "{path} was read, but {reason}",
        "zh": "{path} 已读取，但{reason}",
    }

    def __init__(self, *, path: str, reason: str, where: str = "") -> None:
        if reason not in self.REASONS:
            raise ValueError(f"unknown reason {reason!r}; known: {sorted(self.REASONS)}")
        super().__init__(path=path, reason=reason, where=where)

    def text(self, language: Language) -> str:
        """Return the sentence with the reason in words, and the row or page where one is known."""
        reason = self.REASONS[str(self.details["reason"])][1 if language == "zh" else 0]
        where = self.details.get("where")
        reason_at = f"{reason} ({where})" if where else reason
        path = printable(str(self.details["path"]))
        template = {"en": self.en, "zh": self.zh} if self.details["reason"] != "term" else self._READ_ALL_THE_SAME
        return template[language].format(path=path, reason=printable(reason_at))
