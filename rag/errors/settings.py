"""Settings, options and files of settings that cannot be used."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from rag.errors.base import AnswerdeskError, printable
from rag.model_reasons import MODEL_REASONS
from rag.schema import Language


class SettingsError(AnswerdeskError):
    """A setting or an option has a value that cannot be used; ``reason`` says which and why."""

    exit_code = 2
    en = "A setting cannot be used: {reason}"
    zh = "设置无效：{reason}"


class BenchmarkMissing(SettingsError):
    """A benchmark (``name``) was called in an installed package, which does not contain the benchmarks."""

    en = "The benchmark {name} is part of the source checkout, not of the installed package; run it from a checkout."
    zh = "基准测试 {name} 仅包含在源代码仓库中，安装包不提供；请在源代码目录中运行。"


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


class ProxyWithoutSignIn(SettingsError):
    """A desk that asks nobody to sign in was reached through a proxy, so from who knows where."""

    en = (
        "This request came through a proxy or from another machine, and this desk asks nobody to sign in. Let people "
        "sign in (ANSWERDESK_SIGN_IN=on, or add somebody with: python -m ui people add NAME --role admin), or open the "
        "desk directly on the machine that it runs on."
    )
    zh = (
        "该请求来自代理或其他机器，而此工作台未启用登录。请启用登录（ANSWERDESK_SIGN_IN=on，或用以下命令添加用户："
        "python -m ui people add 用户名 --role admin），或在运行工作台的机器上直接打开。"
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
