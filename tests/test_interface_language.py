"""A new language of the interface is a folder: every error speaks a made-up one of bracketed, longer sentences."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag import translate
from rag.errors import AnswerdeskError, BatchLinesUnusable, ModelStoppedHalfway
from tests.support import catalogues

pytestmark = pytest.mark.slow

LANGUAGE = "xx"
_SAMPLES = {"seconds": 12.5, "count": 3, "number": 3}


def _pseudo(text: str) -> str:
    """Bracket a sentence, take its letters away and make it half as long again; keep the placeholders."""
    kept = re.sub(r"(\{[^{}|]*\}|\{\w+:(?=[^{}]*\|))|[^\W\d_]", lambda found: found[1] or "~", text)
    return f"⟦{kept}{'~' * (len(text) // 2)}⟧"


@pytest.fixture
def new_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the product's folders and that of the made-up language into one place, and take sentences from there."""
    shutil.copytree(translate.LOCALE_FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / LANGUAGE).mkdir()
    sentences_of: dict[str, dict[str, str]] = {}
    for key, text in catalogues.load(translate.LOCALE_FOLDER, "en").items():
        catalogue, _, name = key.partition(".")
        sentences_of.setdefault(catalogue, {})[name] = _pseudo(text)
    for catalogue, sentences in sentences_of.items():
        lines = [
            f"{'.'.join(map(json.dumps, name.split('.')))} = {json.dumps(text, ensure_ascii=False)}"
            for name, text in sentences.items()
        ]
        (tmp_path / LANGUAGE / f"{catalogue}.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(translate, "LOCALE_FOLDER", tmp_path)
    return LANGUAGE


def test_the_folder_is_found_and_complete(new_language: str) -> None:
    assert (
        catalogues.load(translate.LOCALE_FOLDER, new_language).keys()
        == catalogues.load(translate.LOCALE_FOLDER, "en").keys()
    )
    assert catalogues.differences(translate.LOCALE_FOLDER) == []


def _errors(root: type[AnswerdeskError]) -> list[type[AnswerdeskError]]:
    return [root, *(below for child in root.__subclasses__() for below in _errors(child))]


def _raised() -> Iterator[AnswerdeskError]:
    """Yield an error of each class, with each of its reasons."""
    english = translate.load_catalogue(translate.LOCALE_FOLDER, "en", "errors")
    for cls in _errors(AnswerdeskError):
        if cls.__module__ != "rag.errors":
            continue
        prefix = f"reasons.{cls.__name__}."
        for reason in [key.removeprefix(prefix) for key in english if key.startswith(prefix)] or ["«reason»"]:
            if cls is BatchLinesUnusable:
                yield BatchLinesUnusable(name="«name»", lines=[(3, reason)])
            elif cls is ModelStoppedHalfway:
                yield ModelStoppedHalfway(partial_text="")
            else:
                sentences = [english.get(cls.__name__, ""), english.get(prefix + reason, "")]
                named = {name.split(":")[0] for text in sentences for name in catalogues.placeholders(text)}
                details = {name: _SAMPLES.get(name, f"«{name}»") for name in named - {"reason"}}
                takes_reason = prefix + reason in english or "{reason}" in english.get(cls.__name__, "")
                yield cls(**details, **({"reason": reason} if takes_reason else {}))


def test_every_error_speaks_it_and_keeps_only_data_from_elsewhere(new_language: str) -> None:
    raised = list(_raised())
    assert len(raised) > 130
    for error in raised:
        said = error.text(new_language)
        assert said.startswith("⟦") and said.endswith("⟧"), said
        assert re.findall(r"[A-Za-z]+", re.sub(r"«[^»]*»|\{[^{}]*\}", "", said)) == [], said
