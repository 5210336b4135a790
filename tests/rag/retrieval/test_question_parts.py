"""Questions that ask for several things."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.question import MOST_PARTS, parts_of
from rag.retrieval.retriever import Retriever, put_parts_first
from rag.schema import Chunk, Language, RetrievedChunk
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.tracing import Trace
from tests.rag.retrieval.knowledge import publish


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("How long is the warranty? Who pays the postage?", ("How long is the warranty", "Who pays the postage")),
        ("How long is the warranty and how do I claim it?", ("How long is the warranty", "how do I claim it")),
        ("What is W-203, and can I clear it myself?", ("What is W-203", "can I clear it myself")),
        ("I bought a kettle, how long is its warranty; is there a spare lid?",
         ("I bought a kettle, how long is its warranty", "is there a spare lid")),
        ("Codecs: which can you read, and up to which resolution?",
         ("Codecs: which can you read", "up to which resolution")),
        ("We pay. For how many days is it free, and is there a connector?",
         ("We pay. For how many days is it free", "is there a connector")),
        ("Can I map it, and if I change the record, how long until it works?",
         ("Can I map it", "if I change the record, how long until it works")),
        ("When I bind it, one box is missing. What are the reasons?", ()),
        ("When is it sent? When does it arrive?", ("When is it sent", "When does it arrive")),
        ("So tell me: (a) may I install fixes, or am I stuck, and (b) what would the new one cost?",
         ("So tell me: (a) may I install fixes, or am I stuck", "(b) what would the new one cost")),
        ("I put it on (a) the desk and (b) the floor. Is it safe?", ()),
        ("谁想到锁坏了，多久能修？", ()),
        ("写了一篇怎么跑模型的教程，学生写一次奖多少？", ()),
        ("按小时扣钱是看里面放了多少，还是看买的那个数？", ()),
        ("怎么退货？还是不行，怎么办？", ("怎么退货", "还是不行，怎么办")),
        ("最多能开多少个文件（就是同时打开的文件数）？", ()),
        ("保修要多久，同时怎么才能退？", ("保修要多久", "怎么才能退")),
        ("What do I get? And should it prove too slow, can I change it?",
         ("What do I get", "should it prove too slow, can I change it")),
        ("能管几年？是不是每年都要重新弄一遍", ("能管几年", "是不是每年都要重新弄一遍")),
        ("Is this a fault or is it meant to be like that?", ()),
        ("保修多久，以及修一次多少钱？", ("保修多久", "修一次多少钱")),
        ("怎么退货？运费谁出？", ("怎么退货", "运费谁出")),
        ("发票怎么开，还有多久能收到；能改抬头吗", ("发票怎么开", "多久能收到", "能改抬头吗")),
        ("How long is it? Thanks a lot.", ()),
        ("Do you sell kettles and toasters?", ()),
        ("The robot beeps and stops, what should I do?", ()),
        ("门锁和门铃能一起用吗", ()),
        ("我的订单还没到，怎么办？", ()),
        ("前几天在你们店买了十几把锁，保修多久？", ()),
        ("几乎没电了，好几次都这样，怎么充？", ()),
        ("过几天能到，早上几点送？", ("过几天能到", "早上几点送")),
        ("前几单免运费，几号截止", ("前几单免运费", "几号截止")),
        ("什么都没备份，收多少钱我都愿意，还能恢复吗？", ()),
        ("怎么也登不上，哪里都没写，要找谁？", ()),
        ("什么时候都能退吗？保修多久？", ("什么时候都能退吗", "保修多久")),
        ("a? b? c? d?", ("a? b", "c? d")),
        ("refund to paypl? W-203?", ("refund to paypl", "W-203")),
        ("Hello?? my kettle leaks. Refund?", ()),
        ("Is it red? Is it new? Is it big? Is it old? Is it mine?",
         ("Is it red", "Is it new", "Is it big", "Is it old? Is it mine")),
        ("", ()),
    ],
)  # fmt: skip
def test_parts_of(question: str, parts: tuple[str, ...]) -> None:
    assert parts_of(question) == parts


@pytest.mark.slow
@given(st.text(alphabet="how can i 吗怎么多少，。？?;and以及 kettle", max_size=80))
def test_parts_are_none_or_a_few_with_words(question: str) -> None:
    parts = parts_of(question)
    assert len(parts) in (0, *range(2, MOST_PARTS + 1))
    assert all(part.strip() == part != "" for part in parts)


def found(*numbers: int) -> list[RetrievedChunk]:
    """Chunks of documents of their own, whose scores go down."""
    return [
        RetrievedChunk(Chunk(f"d{number}", "", "", (), "text", 0, 4, 0, "en", number), -float(place))
        for place, number in enumerate(numbers)
    ]


@pytest.mark.parametrize(
    ("whole", "parts", "expected"),
    [
        ((1, 2, 3, 4, 5), ((5,), (9,)), [1, 5, 9, 2, 3]),
        ((1, 2, 3, 4), ((2,), (3,)), [1, 2, 3, 4]),
        ((1, 2, 3, 4, 5, 6, 7, 8), ((8, 11, 12, 13), (1, 21)), [1, 8, 11, 21, 12, 2, 3, 4]),
        ((1, 2), ((), (1,)), [1, 2]),
        ((), ((), ()), []),
        ((1,), ((2,),), [1]),
    ],
)
def test_the_best_of_each_part_is_among_the_first(
    whole: tuple[int, ...], parts: tuple[tuple[int, ...], ...], expected: list[int]
) -> None:
    merged = put_parts_first(found(*whole), [found(*part) for part in parts])
    assert [one.chunk.chunk_id for one in merged] == expected
    scores = [one.score for one in merged]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("How often do I replace the battery, and what does error W-203 mean?", "en", {"battery", "w203"}),
        ("签收后几天可以退货，还有报警 W-203 是什么？", "zh", {"退货", "报警"}),
    ],
)
def test_both_parts_evidence_comes_first(tmp_path: Path, question: str, language: Language, expected: set[str]) -> None:
    texts: dict[str, tuple[Language, str]] = {
        "battery": ("en", "replace the battery of the doorbell every two years"),
        "w203": ("en", "error W-203 means that the water tank is empty"),
        "退货": ("zh", "签收后七天内可以退货"),
        "报警": ("zh", "报警 W-203 表示水箱缺水"),
        **{f"en{number}": ("en", f"what do I do when light {number} blinks, and how often") for number in range(9)},
        **{f"zh{number}": ("zh", f"签收后第 {number} 种灯是什么意思，几天可以好") for number in range(9)},
    }
    settings = Settings(data_dir=tmp_path)
    publish(settings.knowledge_dir, texts, HashEmbedder())
    retrieval = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings).retrieve(
        question, language, Trace()
    )
    assert expected <= {one.chunk.document_id for one in retrieval.chunks[:4]}


@pytest.mark.slow
def test_a_story_in_a_short_text_does_not_hide_its_question(tmp_path: Path) -> None:
    texts: dict[str, tuple[Language, str]] = {
        "battery": ("en", "replace the battery of the doorbell every two years"),
        **{
            f"shop{number}": ("en", f"bought last month in the shop in street {number}, in Leeds")
            for number in range(9)
        },
    }
    settings = Settings(data_dir=tmp_path)
    publish(settings.knowledge_dir, texts, HashEmbedder())
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    asked = "How often do I replace the battery of the doorbell?"
    alone = retriever.find(asked, "en", Trace())
    told = retriever.find(f"Bought last month in a shop in Leeds. {asked}", "en", Trace())
    assert told.chunks[0].chunk.document_id == "battery"
    assert told.signals == alone.signals
    assert [part.chunks[0].chunk.document_id for part in told.parts] == ["battery"]
