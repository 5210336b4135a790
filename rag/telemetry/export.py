"""Opens the exporter for the collector in the settings, if one is configured."""

import logging
from collections.abc import Callable
from functools import lru_cache

from rag.settings import Settings
from rag.telemetry.answer_spans import AnswerSpan
from rag.terminal import terminal_language
from rag.translate import translate

logger = logging.getLogger(__name__)


def span_export(settings: Settings) -> Callable[[AnswerSpan], None] | None:
    """Return what sends an answer's spans; None where no collector is named, or the packages for it are missing.

    The latter is said once, in the log.
    """
    return _export_to(settings.otlp_endpoint) if settings.otlp_endpoint else None


@lru_cache(maxsize=4)
def _export_to(endpoint: str) -> Callable[[AnswerSpan], None] | None:
    try:
        from rag.telemetry.otlp import OtlpExport  # brings OpenTelemetry, for those who ask for it
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("opentelemetry"):
            raise
        logger.warning("%s", translate("telemetry.extra_missing", terminal_language()))
        return None
    return OtlpExport(endpoint)
