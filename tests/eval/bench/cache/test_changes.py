"""Every kind of change makes another question, in both languages."""

import random
import re

import pytest

from eval.bench.cache.changes import changed_questions

CASES = [
    ("number", "Can I return it within 7 days?", r"1\d|8|9"),
    ("number", "两个月内能退吗", "[三四五六七八九]个月"),
    ("name", "Is it sold by Halo in Cork?", "Ember"),
    ("name", "在Halo上怎么登录", "在Ember上"),
    ("product", "What does W-203 mean?", "Ember"),
    ("denial", "Can I return it?", "Can not I"),
    ("denial", "Why isn't it sold?", "Why is it"),
    ("denial", "可以退货吗", "不可以退货"),
    ("denial", "为什么不能退货", "为什么能退货"),
    ("direction", "How do I enable it?", "disable"),
    ("direction", "怎么开启指纹", "关闭指纹"),
    ("before or after", "Can I cancel before it ships?", "after it ships"),
    ("before or after", "发货之前能取消吗", "发货之后"),
    ("time", "How many days?", "years|hours"),
    ("comparison", "最多退几件", "最少退几件"),
    ("kind of question", "Where is it?", "who is it|when is it"),
    ("sides", "Can I call you?", "Can you call i"),
    ("sides", "Is the move from Halo to Ember free?", "from Ember to Halo|Halo from"),
    ("sides", "怎么把旧锁换到新锁上", "."),
]


@pytest.mark.parametrize(("kind", "question", "expected"), CASES)
def test_one_thing_is_changed(kind: str, question: str, expected: str) -> None:
    seen: dict[str, list[str]] = {}
    for seed in range(8):
        for one in changed_questions(question, random.Random(seed), ["Ember"]):
            seen.setdefault(one.kind, []).append(one.question)
    assert any(re.search(expected, found) for found in seen[kind]), seen
    assert question not in [found for all_found in seen.values() for found in all_found]


def test_the_same_seed_makes_the_same_questions() -> None:
    made = [list(changed_questions("Can I return 7 items to Halo before May?", random.Random(3), ["K2"])) for _ in "ab"]
    assert made[0] == made[1]
    assert len(made[0]) >= 4
