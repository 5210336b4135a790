"""Every error that the product raises on purpose.

    AnswerdeskError                     exit code
    ├── QuestionError                       2     the words that somebody typed
    │   ├── QuestionEmpty
    │   ├── QuestionTooLong
    │   ├── PromptTooLong
    │   └── QuestionWithoutWords
    ├── SettingsError                       2
    │   ├── BatchLinesUnusable
    │   ├── GlossaryUnusable
    │   ├── CalibrationDamaged
    │   ├── MetricsPortTaken
    │   ├── OpenWithoutSignIn
    │   ├── ModelUnfit
    │   └── PortTaken
    ├── KnowledgeError                      3     the knowledge base
    │   ├── KnowledgeBaseMissing
    │   ├── KnowledgeBaseNewer
    │   ├── AccessDenied
    │   ├── EmbedderMismatch
    │   ├── IndexDamaged
    │   ├── GenerationGone
    │   ├── NoRegressionQuestions
    │   ├── CuratedMissing
    │   ├── CuratedUnusable
    │   ├── IngestRunning
    │   ├── IngestStopped
    │   ├── UploadUnusable
    │   ├── StorageFull
    │   │   └── NoRoomToOpen
    │   ├── SourceMissing
    │   ├── NothingToIngest
    │   └── DocumentUnreadable
    ├── PeopleError                         7     who is there, and what they may do
    │   ├── SignInNeeded
    │   ├── SignInWrong
    │   ├── SignInThrottled
    │   ├── NotPermitted
    │   ├── PersonUnknown
    │   ├── PersonTaken
    │   ├── PersonUnusable
    │   └── LastAdmin
    ├── ServingError                        4     the model server
    │   ├── OllamaUnavailable
    │   │   └── NoHostAnswers
    │   ├── OllamaElsewhere
    │   ├── OllamaNotInstalled
    │   ├── OllamaNotStarted
    │   ├── OllamaRefused
    │   ├── ModelMissing
    │   ├── ModelTooLarge
    │   ├── ModelTimedOut
    │   ├── ModelStoppedHalfway
    │   ├── ModelSaidNothing
    │   ├── QueueFull
    │   ├── WaitedTooLong
    │   ├── AnswerCancelled
    │   └── AnswerInterrupted
    ├── TurnError                           6     a question that was asked before
    │   ├── TurnMissing
    │   └── TurnFailed
    └── ProvisioningError                   5     getting the parts onto this machine
        ├── DownloadFailed
        ├── ChecksumMismatch
        ├── ToolMissing
        ├── BuildFailed
        └── EmbedderMissing

Each class carries its sentence in English and Chinese with the same placeholders; ``error.text("zh")`` fills it in.
Foreign exceptions are translated where they arise (``raise OllamaUnavailable(...) from error``), never swallowed.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from rag.model_reasons import MODEL_REASONS
from rag.schema import Language

# control characters, line separators, marks that turn the direction of writing, bytes of a name that are no UTF-8
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FIRST_ESCAPED_BYTE, _LAST_ESCAPED_BYTE = 0xDC80, 0xDCFF


def printable(text: str) -> str:
    r"""Return one line that a terminal shows as it is, whatever somebody called a file.

    >>> print(printable("a\nb\x1b[31m"), printable("\udcc4.md"))
    a\nb\x1b[31m \xc4.md
    """
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match.group())
    if _FIRST_ESCAPED_BYTE <= number <= _LAST_ESCAPED_BYTE:  # how Python keeps the bytes of a file's name
        return f"\\x{number & 0xFF:02x}"
    return match.group().encode("unicode_escape").decode("ascii")


class AnswerdeskError(Exception):
    """The root of the tree.  Keyword arguments fill the sentence's placeholders and stay readable in ``details``."""

    exit_code: ClassVar[int] = 1
    en: ClassVar[str] = "Something went wrong."
    zh: ClassVar[str] = "出了点问题。"

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.text("en"))

    def text(self, language: Language) -> str:
        """Return the one sentence for people, in their language."""
        template = self.zh if language == "zh" else self.en
        shown = {
            name: printable(str(value)) if isinstance(value, str | Path) else value
            for name, value in self.details.items()
        }
        return template.format(**shown)


class QuestionError(AnswerdeskError):
    """The question cannot be worked on."""

    exit_code = 2


class QuestionEmpty(QuestionError):
    """Nothing but white space or control characters."""

    en = "Please type a question."
    zh = "请输入问题。"


class QuestionTooLong(QuestionError):
    """``characters`` typed, ``limit`` allowed."""

    en = "The question has {characters} characters; please keep it under {limit}."
    zh = "问题共 {characters} 个字符，请控制在 {limit} 个以内。"


class PromptTooLong(QuestionError):
    """The question takes about ``tokens`` of the model's context, in which there is room for ``limit``."""

    en = (
        "The question is too long for the model (about {tokens} tokens, room for {limit}); "
        "the passages found are shown. Please keep only the part that matters."
    )
    zh = "问题对模型来说过长（约 {tokens} 个词元，最多 {limit} 个）；已显示找到的资料，请只保留关键部分后再提问。"


class QuestionWithoutWords(QuestionError):
    """Only emoji or punctuation: nothing to search for."""

    en = "The question has no words to search for; please describe the problem in words."
    zh = "问题中没有可以检索的文字，请用文字描述问题。"


class SettingsError(AnswerdeskError):
    """A setting or an option has a value that cannot be used; ``reason`` says which and why."""

    exit_code = 2
    en = "A setting cannot be used: {reason}"
    zh = "设置无效：{reason}"


class OpenWithoutSignIn(SettingsError):
    """The desk is to be reached from other machines (``address``), and nobody would have to sign in."""

    en = (
        "Without sign-in the desk listens on this machine only, not on {address}. Let people sign in "
        "(ANSWERDESK_SIGN_IN=on, or add somebody with: python -m ui people add NAME --role admin), or leave out "
        "--address."
    )
    zh = (
        "未启用登录时，工作台只能在本机使用，不能监听 {address}。请启用登录（ANSWERDESK_SIGN_IN=on，"
        "或用以下命令添加用户：python -m ui people add 用户名 --role admin），或去掉 --address。"
    )


class CalibrationDamaged(SettingsError):
    """The file with a knowledge base's own calibration, at ``path``, is none."""

    en = "{path} is damaged: run python -m eval calibrate refusal again, or delete it."
    zh = "{path} 已损坏：请重新运行 python -m eval calibrate refusal，或删除该文件。"


class BatchLinesUnusable(SettingsError):
    """``lines`` of the file ``name`` are none of a batch: pairs of a number from 1 and a key of ``REASONS``."""

    en = "{name}:{number}: {reason}"
    zh = "{name} 第 {number} 行：{reason}"
    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "json": ("this is no JSON", "不是有效的 JSON"),
        "object": (
            'an object like {"id": ..., "turns": [...]} is expected',
            '应为 {"id": ..., "turns": [...]} 形式的对象',
        ),
        "id": ('"id" must be a string or a whole number', '"id" 应为字符串或整数'),
        "twice": ("another line has the same id", "另一行使用了相同的 id"),
        "question": ('"question" must be a string', '"question" 应为字符串'),
        "turns": (
            '"turns" must be objects with "user" or "assistant", strings, and the last one the user\'s alone',
            '"turns" 应为含 "user" 或 "assistant" 字符串的对象，且最后一轮只能是用户',
        ),
        "not_asked": (
            "this is no answer to the questions given; name another file for the answers",
            "这不是所给问题的回答，请另外指定输出文件",
        ),
    }

    def __init__(self, *, name: str, lines: Sequence[tuple[int, str]]) -> None:
        unknown = {reason for _, reason in lines} - self.REASONS.keys()
        if unknown or not lines:
            raise ValueError(f"unknown reasons {sorted(unknown)}, or no line at all; known: {sorted(self.REASONS)}")
        self._name, self._lines = printable(name), tuple(lines)
        super().__init__(name=name, lines=self._lines)

    def text(self, language: Language) -> str:
        """Return a sentence for each line."""
        place = 1 if language == "zh" else 0
        sentence = self.zh if place else self.en
        return "\n".join(
            sentence.format(name=self._name, number=number, reason=self.REASONS[reason][place])
            for number, reason in self._lines
        )


class GlossaryUnusable(SettingsError):
    """A team's glossary at ``path`` cannot be used in ``line``.  ``reason`` is one of the keys in ``REASONS``."""

    en = "The glossary {path} cannot be used, line {line}: {reason}"
    zh = "术语表 {path} 第 {line} 行无法使用：{reason}"
    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "unreadable": ("it is not a readable UTF-8 text", "不是可读取的 UTF-8 文本"),
        "long": ("there may be 10,000 lines at the most", "最多 10,000 行"),
        "single": ("it needs two words or more, separated by commas", "至少要有两个词，用逗号分隔"),
        "wordy": ("a word may have 64 characters at the most", "每个词最多 64 个字符"),
        "signs": ("a word needs letters or figures", "每个词要有文字或数字"),
    }

    def text(self, language: Language) -> str:
        """Return the sentence with the reason in the same language."""
        reason = self.REASONS[str(self.details["reason"])][1 if language == "zh" else 0]
        path = printable(str(self.details["path"]))
        return (self.zh if language == "zh" else self.en).format(path=path, line=self.details["line"], reason=reason)


class PortTaken(SettingsError):
    """Another program, or another desk, listens at ``port``."""

    en = "Port {port} is taken by another program; name another one: make run PORT=8502"
    zh = "端口 {port} 已被其他程序占用，请换一个端口：make run PORT=8502"


class ModelUnfit(SettingsError):
    """``model``, a name or a file, cannot be used as was asked; ``reason`` is one of the keys in ``REASONS``."""

    en = "Model {model}: {reason}"
    zh = "模型 {model}：{reason}"
    REASONS: ClassVar[Mapping[str, tuple[str, str]]] = MODEL_REASONS

    def __init__(self, *, model: str | Path, reason: str, what: str = "") -> None:
        if reason not in self.REASONS:
            raise ValueError(f"unknown reason {reason!r}; known: {sorted(self.REASONS)}")
        super().__init__(model=model, reason=reason, what=what)

    def text(self, language: Language) -> str:
        """Return the sentence with the reason in words."""
        reason = self.REASONS[str(self.details["reason"])][1 if language == "zh" else 0]
        what, model = (printable(str(self.details[key])) for key in ("what", "model"))
        return (self.zh if language == "zh" else self.en).format(model=model, reason=reason.format(what=what))


class MetricsPortTaken(SettingsError):
    """Another program listens at ``port``, which was to be that of the metrics."""

    en = "Port {port} is taken by another program; give ANSWERDESK_METRICS_PORT another one, or 0 for no metrics."
    zh = "端口 {port} 已被其他程序占用，请为 ANSWERDESK_METRICS_PORT 换一个端口，或设为 0 关闭指标。"


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


class PeopleError(AnswerdeskError):
    """Somebody is not known here, or may not do this."""

    exit_code = 7


class SignInNeeded(PeopleError):
    """Nobody is signed in: never was, the time is over, somebody ended it, or the person was disabled."""

    en = "You are not signed in, or your sign-in has ended."
    zh = "您尚未登录，或登录已失效。"


class SignInWrong(PeopleError):
    """Name and password do not belong together; which of the two is wrong is not told."""

    en = "This name and password do not belong together."
    zh = "用户名或密码不正确。"


class SignInThrottled(PeopleError):
    """Too many wrong attempts; the next is looked at in ``seconds``."""

    en = "Too many wrong attempts. Please try again in {seconds} s."
    zh = "错误次数过多，请 {seconds} 秒后重试。"


class NotPermitted(PeopleError):
    """What was asked for needs at least the role ``role``."""

    en = "You may not do this."
    zh = "您没有权限执行此操作。"


class PersonUnknown(PeopleError):
    """Nobody of this ``name``."""

    en = "There is nobody called {name}; see who there is with: python -m ui people list"
    zh = "没有名为 {name} 的用户，可用以下命令查看：python -m ui people list"


class PersonTaken(PeopleError):
    """There is somebody of this ``name``; names are not given twice, also when a person was disabled."""

    en = "There is somebody called {name} already."
    zh = "已有名为 {name} 的用户。"


class PersonUnusable(PeopleError):
    """A name, a password or a code cannot be used; ``reason`` is one of the keys in ``REASONS``."""

    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "name": (
            "A name has 1 to 64 letters, digits and the signs . _ - @ +, and is not “local”.",
            "用户名为 1 至 64 个字母、数字或 . _ - @ +，且不能为“local”。",
        ),
        "short": ("A password has at least {limit} characters.", "密码至少需要 {limit} 个字符。"),
        "long": ("A password has at most {limit} characters.", "密码最多 {limit} 个字符。"),
        "is_name": ("A password must not be the name.", "密码不能与用户名相同。"),
        "common": ("This password is one that everybody tries first.", "该密码过于常见。"),
        "differs": ("The two passwords differ.", "两次输入的密码不一致。"),
        "code": (
            "This is not the code that the terminal shows now.",
            "验证码与终端中显示的不一致。",
        ),
        "scope": ("There is no knowledge base called {name}.", "没有名为 {name} 的知识库。"),
    }

    def __init__(self, *, reason: str, **details: object) -> None:
        if reason not in self.REASONS:
            raise ValueError(f"unknown reason {reason!r}; known: {sorted(self.REASONS)}")
        super().__init__(reason=reason, **details)

    def text(self, language: Language) -> str:
        """Return the reason in words."""
        return self.REASONS[str(self.details["reason"])][1 if language == "zh" else 0].format(**self.details)


class LastAdmin(PeopleError):
    """Nobody could let anybody in any more."""

    en = "{name} is the last admin; make somebody else an admin first."
    zh = "{name} 是最后一位管理员，请先指定其他管理员。"


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


class StorageFull(KnowledgeError):
    """The disk under ``folder`` has no room left."""

    en = "The disk holding {folder} is full; nothing was published and the previous knowledge base still serves."
    zh = "{folder} 所在磁盘已满；本次没有发布任何内容，原有知识库仍可使用。"


class NoRoomToOpen(StorageFull):
    """The disk under ``folder`` is so full that SQLite cannot even make the small file through which readers share."""

    en = "The disk holding {folder} is full, so not even reading can begin; free a few megabytes. Nothing was lost."
    zh = "{folder} 所在磁盘已满，连读取也无法开始；请腾出几 MB 空间后重试，数据没有丢失。"


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
        "too_much_memory": (
            "reading it takes too much memory; split it, or raise ANSWERDESK_READING_MEMORY_MEGABYTES",
            "读取所需内存过多；请拆分文件，或调高 ANSWERDESK_READING_MEMORY_MEGABYTES",
        ),
        "permission": ("reading it is not permitted", "没有读取权限"),
        "duplicate": ("another row of the file has the same id", "文件中另一行使用了相同的 id"),
        "loop": ("the link leads back to itself or into a folder above it", "链接指向自身或上级文件夹"),
        "dangling": ("the link leads to nothing", "链接指向的文件不存在"),
        "name": ("its name is not UTF-8; rename it", "文件名不是 UTF-8 编码，请重命名"),
        "no_file": ("it is a pipe, a socket or a device, not a file", "它是管道、套接字或设备，不是文件"),
        "gone": ("it disappeared while it was being read", "读取时文件已不存在"),
        "device": ("the disk reports an error", "磁盘读取出错"),
        "unsupported": ("this kind of file is not supported", "不支持该类型的文件"),
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
        return (self.zh if language == "zh" else self.en).format(path=path, reason=printable(reason_at))


class ServingError(AnswerdeskError):
    """The model server cannot answer.  Evidence still works."""

    exit_code = 4


class OllamaUnavailable(ServingError):
    """Nothing answers at ``host``."""

    en = "The model server is not running at {host}; start it with: python -m rag.serving start"
    zh = "模型服务未运行（{host}），请启动：python -m rag.serving start"


class NoHostAnswers(OllamaUnavailable):
    """Nothing answers at any of the several ``hosts``."""

    en = "None of the model servers answers ({hosts}); start Ollama on them or change OLLAMA_HOSTS."
    zh = "所有模型服务均无响应（{hosts}），请在这些主机上启动 Ollama，或修改 OLLAMA_HOSTS。"


class OllamaElsewhere(ServingError):
    """Nothing answers at ``host``, which is another machine: no process can be started there from here."""

    en = "No model server answers at {host}; it is another machine, so start Ollama there or change OLLAMA_HOST."
    zh = "{host} 上没有模型服务；它是另一台机器，请在那台机器上启动 Ollama，或修改 OLLAMA_HOST。"


class OllamaNotInstalled(ServingError):
    """No Ollama on PATH and none in the cache."""

    en = "Ollama is not on this machine; fetch it with: make setup"
    zh = "本机没有 Ollama，请运行：make setup"


class OllamaNotStarted(ServingError):
    """Ollama was started and did not begin to answer; ``reason`` is the last thing it said, ``log`` the whole."""

    en = "Ollama could not be started ({reason}); its log is {log}"
    zh = "Ollama 无法启动（{reason}），日志见 {log}"


class OllamaRefused(ServingError):
    """Ollama answered with an error; ``reason`` is its own words."""

    en = "The model server refused the request: {reason}"
    zh = "模型服务拒绝了请求：{reason}"


class ModelMissing(ServingError):
    """``model`` is not installed in this Ollama."""

    en = "The model {model} is not installed; see which are with: python -m rag.serving models"
    zh = "模型 {model} 尚未安装，可用以下命令查看已安装的模型：python -m rag.serving models"


class ModelTooLarge(ServingError):
    """There is no memory for ``model``, nor for the last thing that was ``tried``."""

    en = (
        "There is not enough memory for the model {model}, also not with less ({tried}); choose a smaller one with "
        "ANSWERDESK_MODEL. What fits: python -m rag.serving size"
    )
    zh = (
        "内存不足，无法加载模型 {model}，缩减后仍不够（{tried}）；请用 ANSWERDESK_MODEL 选择更小的模型。"
        "查看可用规模：python -m rag.serving size"
    )


class ModelTimedOut(ServingError):
    """No token came for ``seconds``."""

    en = "The model took too long ({seconds:.0f} s without a word); the evidence can be used as it is."
    zh = "模型响应超时（{seconds:.0f} 秒没有输出），依据可直接使用。"


class ModelStoppedHalfway(ServingError):
    """The connection broke in mid-answer; ``partial_text`` is what had come."""

    en = "The model stopped halfway; this part may be incomplete."
    zh = "模型中途停止，以下内容可能不完整。"

    def __init__(self, *, partial_text: str) -> None:
        super().__init__()
        self.partial_text = partial_text


class ModelSaidNothing(ServingError):
    """The model ended without an answer, and again when it was asked anew."""

    en = "The model gave no answer; the evidence can be used as it is."
    zh = "模型没有给出回答，依据可直接使用。"


class QueueFull(ServingError):
    """``waiting`` questions are ahead already."""

    en = "Too many questions are waiting ({waiting}); please try again in a moment."
    zh = "排队的问题过多（{waiting} 个），请稍后重试。"


class WaitedTooLong(ServingError):
    """No slot became free within ``seconds``."""

    en = "The model did not become free within {seconds:.0f} s. The passages found are shown; please ask again later."
    zh = "模型在 {seconds:.0f} 秒内一直没有空闲。已显示找到的资料，请稍后再次提问。"


class AnswerCancelled(ServingError):
    """The asker stopped it."""

    en = "Stopped, incomplete."
    zh = "已停止，内容不完整。"


class AnswerInterrupted(ServingError):
    """The program that was answering ended before the answer was complete."""

    en = "The program ended before this answer was complete; please ask again."
    zh = "程序在回答完成前退出，请重新提问。"


class TurnError(AnswerdeskError):
    """A question that was asked before cannot be shown or finished."""

    exit_code = 6


class TurnMissing(TurnError):
    """No turn has this id."""

    en = "This question is not kept here."
    zh = "这里没有保存该问题。"


class TurnFailed(TurnError):
    """A fault of this program's own broke the turn off; the log tells more under ``number``."""

    en = "Something failed (no. {number}). Nothing was lost."
    zh = "出错了（编号 {number}），内容没有丢失。"


class ProvisioningError(AnswerdeskError):
    """A part could not be brought onto this machine."""

    exit_code = 5


class DownloadFailed(ProvisioningError):
    """``what`` could not be fetched; ``reason`` and ``remedy`` are keys below, or words of somebody else."""

    en = "{what} could not be downloaded: {reason}. {remedy}"
    zh = "{what} 下载失败：{reason}。{remedy}"
    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "silent": ("the server does not answer", "服务器没有响应"),
        "broken": ("the connection broke again and again", "连接反复中断"),
        "absent": ("the server does not have it", "服务器上没有该文件"),
        "refused": ("the server refused", "服务器拒绝了请求"),
        "unsupported": ("there is none for this kind of machine", "没有适用于本机的版本"),
        "disk_full": ("the disk is full", "磁盘已满"),
    }
    REMEDIES: ClassVar[dict[str, tuple[str, str]]] = {
        "again": (
            "Check the network and run the same command again; what has arrived is kept.",
            "请检查网络后重新运行同一命令，已下载的部分会保留。",
        ),
        "room": ("Free some room and run the same command again.", "请腾出磁盘空间后重新运行同一命令。"),
        "other_name": (
            "Check the name and the network; a file is taken with: python -m rag.serving import FILE --name NAME",
            "请检查名称和网络；已有文件可用 python -m rag.serving import 文件 --name 名称 导入",
        ),
        "other_model": ("Name another model with MODEL=...", "请用 MODEL=... 指定其他模型。"),
    }

    def reason(self, language: Language) -> str:
        """Return the reason alone, in words."""
        return self._in_words("reason", self.REASONS, language)

    def text(self, language: Language) -> str:
        """Return the sentence with reason and remedy in words."""
        remedy = self._in_words("remedy", self.REMEDIES, language)
        words = {**self.details, "reason": self.reason(language), "remedy": remedy}
        return (self.zh if language == "zh" else self.en).format(**words)

    def _in_words(self, field: str, known: dict[str, tuple[str, str]], language: Language) -> str:
        key = str(self.details[field])
        return known[key][1 if language == "zh" else 0] if key in known else key


class ChecksumMismatch(ProvisioningError):
    """A downloaded file is not the one that was pinned."""

    en = "{what} has sha256 {found}, but {expected} was expected; it was deleted, run the command again."
    zh = "{what} 的 sha256 为 {found}，应为 {expected}；文件已删除，请重新运行。"


class ToolMissing(ProvisioningError):
    """A program or header that a build needs is not installed and cannot be installed without root."""

    en = "{tool} is missing; install it with: {command}"
    zh = "缺少 {tool}，请安装：{command}"


class BuildFailed(ProvisioningError):
    """A build ended with an error; its output is kept in ``log``."""

    en = "Building {what} failed; its output is in {log}. The same command goes on with what is built already."
    zh = "编译 {what} 失败，详情见 {log}。重新运行同一命令会从已完成的部分继续。"


class EmbedderMissing(ProvisioningError):
    """The embedder's folder is not on this machine."""

    en = "The embedder is not on this machine ({folder}); fetch it with: make setup"
    zh = "本机没有向量模型（{folder}），请运行：make setup"
