"""What the record of changes says of a change, in both languages: no code's word, and no bare number."""

from collections.abc import Mapping

import pytest

from rag.people.audit import Detail
from rag.schema import Language
from ui.views.people.page import detail_words


@pytest.mark.parametrize(
    ("details", "language", "words"),
    [
        ({"number": 7, "state": "retired"}, "en", "no. 7, Retired"),
        ({"number": 7, "state": "retired"}, "zh", "第 7 号、已停用"),
        ({"generation": 12, "added": 3, "changed": 1}, "en", "generation 12, 3 added, 1 changed"),
        ({"generation": 13, "restored": 11}, "zh", "第 13 版、同第 11 版"),
        ({"scope": "*", "audience": "internal"}, "zh", "全部知识库、内部"),
        ({"role": "lead"}, "zh", "组长"),
        ({"rights": "ask, documents:read", "scopes": "*"}, "en", "ask questions, read articles, Every knowledge base"),
        ({"rights": "ask, documents:read", "audience": "public"}, "zh", "提问、阅读文章、可对客户"),
    ],
)
def test_details_in_words(details: Mapping[str, Detail], language: Language, words: str) -> None:
    assert detail_words(details, language) == words
