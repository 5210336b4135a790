"""What a starting desk makes ready, and what it does without."""

import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import KnowledgeBaseMissing, OllamaUnavailable
from rag.pipeline import Pipeline
from rag.testing import ScriptedGenerator, offline_parts
from ui.services.warm_up import warm_up

pytestmark = pytest.mark.slow


def desk(folder: Path, generator: ScriptedGenerator, **changes: int) -> Pipeline:
    parts = offline_parts(folder, generator=generator, slots=1)
    return Pipeline(replace(parts, settings=parts.settings.changed(**changes)))


def preloaded() -> None:
    for thread in threading.enumerate():
        if thread.name == "preload":
            thread.join(timeout=10)


def test_the_model_reads_what_prompts_begin_with_behind_the_first_page(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    warm_up(lambda: desk(tmp_path, generator))
    preloaded()
    assert [message.role for message in generator.calls[0]][:2] == ["system", "user"]


def test_a_model_that_is_not_kept_is_not_preloaded(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    warm_up(lambda: desk(tmp_path, generator, keep_alive_seconds=0))
    preloaded()
    assert generator.calls == []


def test_what_cannot_be_had_is_logged_and_the_desk_starts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def no_knowledge() -> Pipeline:
        raise KnowledgeBaseMissing(folder=str(tmp_path))

    warm_up(no_knowledge)
    warm_up(lambda: desk(tmp_path, ScriptedGenerator(lambda messages: [OllamaUnavailable(host="127.0.0.1:1")])))
    preloaded()
    assert "not warm yet: KnowledgeBaseMissing" in caplog.text
    assert "not preloaded: OllamaUnavailable" in caplog.text
