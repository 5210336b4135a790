"""A team's own words that mean the same."""

from pathlib import Path

import pytest

from rag.errors import GlossaryUnusable
from rag.retrieval.glossary import Glossary, glossary_of
from rag.retrieval.retriever import Retriever
from rag.schema import Language
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.tracing import Trace
from tests.rag.retrieval.knowledge import publish

WORDS = "# ours, theirs\n\nrobo, vacuum robot，扫地机器人\n快递、包裹; parcel\n"


def glossary(folder: Path, content: str = WORDS, name: str = "glossary.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("My ROBO beeps", ("vacuum robot", "扫地机器人")),
        ("扫地機器人不動了", ("robo", "vacuum robot")),
        ("the ｖａｃｕｕｍ  robot", ("robo", "扫地机器人")),
        ("robotics", ()),
        ("包裹还没到，parcel?", ("快递",)),
        ("", ()),
    ],
)
def test_other_words_for_what_a_question_names(tmp_path: Path, question: str, expected: tuple[str, ...]) -> None:
    assert Glossary.read(glossary(tmp_path)).alternatives(question) == expected


def test_no_question_gets_more_than_eight() -> None:
    assert len(Glossary.of([[f"word {letter}" for letter in "abcdefghijklmnop"]]).alternatives("word a")) == 8


@pytest.mark.parametrize(
    ("content", "line", "english", "chinese"),
    [
        ("a b, c\nlonely\n", 2, "two words or more", "至少要有两个词"),
        ("a, " + "b" * 65, 1, "64 characters", "64 个字符"),
        ("a, ***", 1, "letters or digits", "文字或数字"),
        ("a, b\n" * 10_001, 10_001, "10,000 lines", "10,000 行"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, content: str, line: int, english: str, chinese: str
) -> None:
    with pytest.raises(GlossaryUnusable) as raised:
        Glossary.read(glossary(tmp_path, content))
    assert raised.value.exit_code == 2
    assert f"line {line}: " in raised.value.text("en")
    assert english in raised.value.text("en")
    assert f"第 {line} 行" in raised.value.text("zh")
    assert chinese in raised.value.text("zh")


def test_a_file_that_is_no_text_and_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "glossary.csv").write_bytes(b"\xff\xfea,b")
    for path in (tmp_path / "glossary.csv", tmp_path / "nowhere.csv"):
        with pytest.raises(GlossaryUnusable, match="readable as UTF-8"):
            Glossary.read(path)


def test_the_setting_goes_before_the_folder_and_neither_is_needed(tmp_path: Path) -> None:
    assert glossary_of(None, tmp_path) == Glossary()
    glossary(tmp_path, "here, there", "glossary.csv")
    assert glossary_of(None, tmp_path).alternatives("here") == ("there",)
    other = glossary(tmp_path / "other", "here, elsewhere")
    assert glossary_of(other, tmp_path).alternatives("here") == ("elsewhere",)


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [("the robo beeps", "en", "robot"), ("快递丢了", "zh", "包裹"), ("where is my 快递", "en", "parcel")],
)
def test_passages_are_found_by_the_other_words(
    tmp_path: Path, question: str, language: Language, expected: str
) -> None:
    texts: dict[str, tuple[Language, str]] = {
        "robot": ("en", "clean the brushes of the vacuum robot"),
        "parcel": ("en", "a parcel that is late"),
        "kettle": ("en", "the kettle beeps three times"),
        "包裹": ("zh", "包裹遗失的赔偿"),
        "门锁": ("zh", "门锁没电了怎么办"),
    }
    settings = Settings(data_dir=tmp_path)
    publish(settings.knowledge_dir, texts, HashEmbedder())
    glossary(settings.knowledge_dir)
    found = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings).find(
        question, language, Trace()
    )
    assert found.chunks[0].chunk.document_id == expected
    assert found.chunks[0].bm25 is not None
