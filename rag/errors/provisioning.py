"""Why a part could not be brought onto this machine."""

from typing import ClassVar

from rag.errors.base import AnswerdeskError
from rag.schema import Language


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
        "unpinned": ("this version has no known checksum", "该版本没有已知的校验值"),
        "disk_full": ("the disk is full", "磁盘已满"),
    }
    REMEDIES: ClassVar[dict[str, tuple[str, str]]] = {
        "again": (
            "Check the network and run the same command again; what has arrived is kept.",
            "请检查网络后重新运行同一命令，已下载的部分会保留。",
        ),
        "room": ("Free some room and run the same command again.", "请腾出磁盘空间后重新运行同一命令。"),
        "other_name": (
            "Check the name and the network; a file is taken with: python -m rag.ollama import FILE --name NAME",
            "请检查名称和网络；已有文件可用 python -m rag.ollama import 文件 --name 名称 导入",
        ),
        "other_way": ("Check the name and the network, or import a file.", "请检查名称和网络，或改为导入文件。"),
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


class LinkInCache(ProvisioningError):
    """A log or lock of the cache folder is a link, through which something else would be overwritten."""

    en = "{path} is a link, and nothing is written through it; delete it and run the same command again."
    zh = "{path} 是链接文件，程序不会通过它写入；请删除后重新运行同一命令。"


class ToolMissing(ProvisioningError):
    """A program or header that a build needs is not installed and cannot be installed without root."""

    en = "{tool} is missing; install it with: {command}"
    zh = "缺少 {tool}，请安装：{command}"


class BuildFailed(ProvisioningError):
    """A build ended with an error; its output is kept in ``log``."""

    en = "Building {what} failed; its output is in {log}. The same command goes on with what is built already."
    zh = "编译 {what} 失败，详情见 {log}。重新运行同一命令会从已完成的部分继续。"


class AuditImpossible(ProvisioningError):
    """Nobody said whether the locked packages have vulnerabilities; ``reason`` is a technical one."""

    en = "The locked packages could not be checked for vulnerabilities: {reason}"
    zh = "无法检查锁定软件包的漏洞：{reason}"


class VulnerablePackages(ProvisioningError):
    """Published vulnerabilities concern locked packages; ``found`` names both."""

    en = (
        "Known vulnerabilities: {found}. Update with `make lock UPGRADE=--upgrade`, or give the reason why one does "
        "not concern us in [tool.answerdesk.accepted-advisories] of pyproject.toml. https://osv.dev tells of each."
    )
    zh = (
        "存在已知漏洞：{found}。请运行 make lock UPGRADE=--upgrade 更新；若某个漏洞不影响本产品，"
        "请在 pyproject.toml 的 [tool.answerdesk.accepted-advisories] 中写明理由。详情见 https://osv.dev"
    )


class EmbedderMissing(ProvisioningError):
    """The embedder's folder is not on this machine."""

    en = "The embedder is not on this machine ({folder}); fetch it with: make setup"
    zh = "本机没有向量模型（{folder}），请运行：make setup"
