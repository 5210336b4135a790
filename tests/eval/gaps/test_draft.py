"""The draft is an article as the ingest reads it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from eval.gaps.draft import draft_article
from eval.gaps.report import GapQuestion, NearestArticle, Topic
from rag.schema import Language

WHEN = datetime(2026, 11, 25, tzinfo=UTC)
ENGLISH = GapQuestion('Gift "cards": do you\nhave #any?', "en", 2, {"refused": 2}, "t1", WHEN)
CHINESE = GapQuestion("有礼品卡吗？", "zh", 1, {"disliked": 1}, "t2", WHEN)
TOPIC = Topic(
    1, {"en": ENGLISH.text, "zh": CHINESE.text}, (ENGLISH, CHINESE), NearestArticle("en/pay.md", "Paying", "en")
)


@pytest.mark.parametrize(
    ("language", "title", "said"),
    [
        ("en", 'Gift "cards": do you have #any?', "Asked 3 times (2 refused, 1 disliked)."),
        ("zh", "有礼品卡吗？", "共被问到 3 次（拒答 2, 差评 1）。"),
    ],
)
def test_it_has_a_title_the_questions_and_what_is_known(language: Language, title: str, said: str) -> None:
    text = draft_article(TOPIC, language)
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front) == {"title": title, "language": language}
    assert body.startswith(f"# {title}\n")
    assert said in body
    assert "en/pay.md" in body
    first, second = [line for line in body.splitlines() if line.startswith("- ")]
    assert {first, second} == {'- Gift "cards": do you have #any?', "- 有礼品卡吗？"}
    assert first == f"- {title}"  # those in the draft's language come first


def test_a_whole_mail_is_cut_short(tmp_path: Path) -> None:
    mail = GapQuestion("Dear all, " + "I am Ann and " * 500, "en", 1, {"refused": 1}, "t", WHEN)
    text = draft_article(Topic(1, {"en": mail.text}, (mail,)), "en")
    assert max(map(len, text.splitlines())) <= 202
