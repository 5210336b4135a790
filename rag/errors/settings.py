"""Settings, options and files of settings that cannot be used."""

from collections.abc import Sequence
from pathlib import Path

from rag.errors.base import AnswerdeskError, printable
from rag.translate import translate


class SettingsError(AnswerdeskError):
    """A setting or an option has a value that cannot be used; ``reason`` says which and why."""

    exit_code = 2


class BenchmarkMissing(SettingsError):
    """A benchmark (``name``) was called in an installed package, which does not contain the benchmarks."""


class OpenWithoutSignIn(SettingsError):
    """The desk is to be reached from other machines (``address``), and nobody would have to sign in."""


class ProxyWithoutSignIn(SettingsError):
    """A desk that asks nobody to sign in was reached through a proxy, so from who knows where."""


class CalibrationDamaged(SettingsError):
    """The file with a knowledge base's own calibration, at ``path``, is none."""


class BatchLinesUnusable(SettingsError):
    """``lines`` of the file ``name`` are not lines of a batch: pairs of a number from 1 and the key of a reason."""

    def __init__(self, *, name: str, lines: Sequence[tuple[int, str]]) -> None:
        if not lines:
            raise ValueError("no line at all")
        for _, reason in lines:
            self.require_reason(reason)
        self._name, self._lines = printable(name), tuple(lines)
        super().__init__(name=name, lines=self._lines)

    def text(self, language: str) -> str:
        """Return a sentence for each line."""
        return "\n".join(
            translate(
                "errors.BatchLinesUnusable",
                language,
                name=self._name,
                number=number,
                reason=translate(f"errors.reasons.BatchLinesUnusable.{reason}", language),
            )
            for number, reason in self._lines
        )


class GlossaryUnusable(SettingsError):
    """A glossary at ``path`` cannot be used in ``line``.  ``reason`` is a key of its reasons in the catalogue."""


class PortTaken(SettingsError):
    """Another program, or another desk, listens at ``port``."""


class ModelUnfit(SettingsError):
    """``model``, a name or a file, cannot be used as was asked; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, model: str | Path, reason: str, what: str = "") -> None:
        self.require_reason(reason)
        super().__init__(model=model, reason=reason, what=what)


class MetricsPortTaken(SettingsError):
    """Another program listens at ``port``, which was to be that of the metrics."""
