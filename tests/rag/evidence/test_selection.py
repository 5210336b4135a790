from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evidence.packing import passage_places
from rag.evidence.selection import QuestionPart, RankedSentences, SentenceLikeness
from rag.retrieval.late_interaction import Likeness
from rag.schema import Chunk, Evidence, RetrievedChunk, TextSpan
from rag.testing import HashEmbedder

count_tokens = HashEmbedder().count_tokens
LONG = "Filler words that make a passage long enough. " * 30


def passage(text: str, start: int = 0) -> Evidence:
    return Evidence(1, "a.md", "a.md", "Title", (), text, start, start + len(text), start, start + len(text), "en")


def sent(evidence: Evidence) -> list[str]:
    return [evidence.words(span) for span in evidence.sent]


def select(evidence: list[Evidence], question: str, likeness: SentenceLikeness, budget: int) -> list[Evidence]:
    spans = RankedSentences(evidence, question, likeness, count_tokens).spans_to_send(budget)
    return [replace(passage, sent=own) for passage, own in zip(evidence, spans, strict=True)]


def by_words(*wanted: str) -> SentenceLikeness:
    """Score sentences by how many of the words they hold."""

    def likeness(sentences: Sequence[tuple[Evidence, TextSpan]]) -> Likeness:
        held = [[float(word in evidence.words(span)) for word in wanted] for evidence, span in sentences]
        shares = np.array(held).reshape(len(sentences), len(wanted))
        return Likeness(shares.sum(axis=1), shares)

    return likeness


def alone(scores: Sequence[float]) -> Likeness:
    values = np.array(scores, dtype=np.float64)
    return Likeness(values, values[:, None])


def test_the_best_sentences_are_chosen_in_the_order_of_the_text() -> None:
    text = LONG + "Refunds take 5 days. " + LONG + "A refund by card takes 7."
    (chosen,) = select([passage(text, start=40)], "refund?", by_words("efund"), 12)
    assert sent(chosen) == ["Refunds take 5 days.", "A refund by card takes 7."]
    assert chosen.text == text


@pytest.mark.parametrize(
    ("question", "chosen"),
    [
        ("How long does a refund by card take?", "Refunds take 5 days."),
        ("Can I have a refund by card?", "A refund needs care."),
        ("Is a refund by card possible? And how long does it take?", "Refunds take 5 days."),
        ("How much is a refund by card?", "A refund needs care."),
    ],
)
def test_a_figure_of_the_kind_that_is_asked_for_goes_first(question: str, chosen: str) -> None:
    text = LONG + "Refunds take 5 days. " + LONG + "A refund needs care."
    (read,) = select([passage(text)], question, by_words("efund"), 5)
    assert sent(read) == [chosen]


def test_each_part_of_a_question_has_its_sentences() -> None:
    """The rare words of one part weigh more than all others, and its sentences would take all the room."""
    leaks = "The iron leaks at its seam. An iron leaks when it is too full. A leaking iron is too hot."
    passages = [passage(LONG + leaks), passage(LONG + "Refunds take 5 days.")]
    whole, rare, plain = by_words("iron", "leak", "seam", "full"), by_words("iron", "leak"), by_words("efund")
    parts = [QuestionPart(rare, [0, 1]), QuestionPart(plain, [1, 0])]

    def read(parts: Sequence[QuestionPart]) -> list[str]:
        spans = RankedSentences(passages, "?", whole, count_tokens, parts).spans_to_send(14)
        return [one.words(span) for one, own in zip(passages, spans, strict=True) for span in own]

    assert "Refunds take 5 days." not in read([])
    assert "Refunds take 5 days." in read(parts)
    assert any("iron" in sentence for sentence in read(parts))


def test_a_passage_is_found_at_the_place_of_its_first_chunk() -> None:
    def chunk(start: int, end: int, document_id: str = "a.md") -> RetrievedChunk:
        return RetrievedChunk(Chunk(document_id, "", "", (), "", start, end, 0, "en", start), 0.0)

    passages = [passage("word " * 20), passage("word " * 20, start=500), replace(passage("x"), document_id="b.md")]
    found = [chunk(0, 600, "c.md"), chunk(500, 520), chunk(520, 540), chunk(99, 120)]
    assert passage_places(passages, found) == [3, 1, 4]


def test_each_language_is_compared_with_itself() -> None:
    """A translation is less like a question than the same words in its own language, and answers as well."""
    own, other = passage(LONG + "The fee is 5."), replace(passage("什么都没有。" * 40 + "费用为五元。"), language="zh")

    def score(evidence: Evidence, span: TextSpan) -> float:
        level = 0.3 if evidence.language == "zh" else 0.6
        return level + 0.2 * ("fee" in evidence.words(span) or "费用" in evidence.words(span))

    def likeness(sentences: Sequence[tuple[Evidence, TextSpan]]) -> Likeness:
        return alone([score(*one) for one in sentences])

    chosen = select([own, other], "fee?", likeness, count_tokens("The fee is 5.") + count_tokens("费用为五元。"))
    assert [sent(one) for one in chosen] == [["The fee is 5."], ["费用为五元。"]]


def test_what_others_have_said_counts_less_than_what_nobody_has_said() -> None:
    """Each of the first two answers more by itself; together with the first, the third answers more."""
    known = ["The fee by card is 5.", "For the fee a card is wanted."]
    text = LONG + " ".join([*known, "Returns abroad are free."])
    both_known = sum(map(count_tokens, known))
    (chosen,) = select([passage(text)], "?", by_words("fee", "card", "free"), both_known)
    assert sent(chosen) == [f"{known[1]} Returns abroad are free."]


def test_a_sentence_that_another_version_repeats_is_left_out_unless_a_figure_differs() -> None:
    now, before = "The return window for a kettle is 30 days.", "The return window for a kettle is 14 days."
    other = "A kettle is returned by parcel."
    budget = count_tokens(now) + count_tokens(before)
    copies = select([passage(LONG + now), passage(LONG + now), passage(LONG + other)], "?", by_words("kettle"), budget)
    assert [sent(one) for one in copies] == [[now], [], [other]]
    differing = select([passage(LONG + now), passage(LONG + before)], "?", by_words("kettle"), budget)
    assert [sent(one) for one in differing] == [[now], [before]]


def test_a_short_first_passage_goes_whole() -> None:
    first, second = passage("One thing. Another thing."), passage(LONG + "The best of all.")
    chosen = select([first, second], "best?", by_words("best"), 60)
    assert sent(chosen[0]) == ["One thing. Another thing."]
    assert "The best of all." in sent(chosen[1])[-1]


def test_a_row_brings_its_header_and_its_heading() -> None:
    rows = "".join(f"| Z{number} | {number} pounds |\n" for number in range(60))
    text = LONG + "\n\n## Fees\n\n| Zone | Fee |\n|---|---|\n" + rows
    (chosen,) = select([passage(text)], "Z41?", by_words("Z41 "), 25)
    assert "## Fees\n\n| Zone | Fee |\n|---|---|" in "\n".join(sent(chosen))
    assert "| Z41 | 41 pounds |" in "\n".join(sent(chosen))


def test_a_row_with_points_in_its_cells_is_whole_and_brings_its_header() -> None:
    text = LONG + "\n\n| Code | Do |\n|---|---|\n| E1 | Wait. Restart. |\n| E2 | Clean it. Call us. |\n\n" + LONG
    expected = ["| Code | Do |\n|---|---|", "| E2 | Clean it. Call us. |"]
    (chosen,) = select([passage(text)], "What?", by_words("Call"), sum(map(count_tokens, expected)))
    assert sent(chosen) == expected


def test_the_first_row_of_a_table_that_was_cut_answers_as_well() -> None:
    text = "| Islands | nine days from the harbour |\n| Mainland | three days by road and rail |\n\n" + LONG
    expected = "| Islands | nine days from the harbour |"
    (chosen,) = select([passage(text)], "When?", by_words("Islands"), count_tokens(expected))
    assert sent(chosen) == [expected]


def test_a_list_item_brings_the_line_that_introduces_it() -> None:
    text = LONG + "\n\nNot covered are:\n- dents\n- worn brushes\n- lost parts\n\n" + LONG
    (chosen,) = select([passage(text)], "brushes?", by_words("brushes"), 5)
    assert sent(chosen) == ["Not covered are:", "- worn brushes"]


def test_a_line_that_introduces_a_short_list_brings_it_whole_and_a_long_one_its_beginning() -> None:
    head, items = "If all downloads stall, delete the contents of:", ["- steam/workshop/downloads", "- steam/cache"]
    short = "\n".join((head, *items))
    (chosen,) = select(
        [passage(f"{LONG}\n\n{short}\n\n{LONG}")],
        "stall?",
        by_words("stall"),
        sum(map(count_tokens, short.splitlines())),
    )
    assert "\n".join(sent(chosen)) == short
    long = "\n".join((head, items[0], *(f"- the folder of another old game, number {place}" for place in range(20))))
    (chosen,) = select([passage(f"{LONG}\n\n{long}\n\n{LONG}")], "stall?", by_words("stall"), 16)
    assert "\n".join(sent(chosen)) == f"{head}\n{items[0]}"


def test_a_line_that_introduces_a_table_does_not_bring_the_row_of_another_code() -> None:
    table = "Errors of the kettle:\n\n| Code | Do |\n|---|---|\n| E1 | Wait. |\n| E2 | Call us. |"
    (chosen,) = select([passage(f"{LONG}\n\n{table}\n\n{LONG}")], "kettle E2", by_words("kettle"), 25)
    assert "E2" in "\n".join(sent(chosen))
    assert "E1" not in "\n".join(sent(chosen))


def test_a_sentence_that_leans_on_the_one_before_brings_it() -> None:
    text = LONG + "Return it within 30 days. Otherwise a fee is due. " + LONG
    (chosen,) = select([passage(text)], "fee?", by_words("fee"), 12)
    assert sent(chosen) == ["Return it within 30 days. Otherwise a fee is due."]


def test_a_short_line_is_sent_whole_and_a_long_one_is_not() -> None:
    short = "- Your VPN is blocked. Turn it off and sign in again."
    long = "- Your VPN is blocked. " + "Other devices in your home work as they did before. " * 3 + "Turn it off."
    (chosen,) = select([passage(f"{LONG}\n\n{short}\n\n{LONG}")], "vpn?", by_words("VPN"), 15)
    assert sent(chosen) == [short]
    (chosen,) = select([passage(f"{LONG}\n\n{long}\n\n{LONG}")], "vpn?", by_words("VPN"), 15)
    assert "- Your VPN is blocked." in "\n".join(sent(chosen))
    assert "Other devices" not in "\n".join(sent(chosen))


def test_a_short_line_does_not_bring_another_code() -> None:
    text = LONG + "\n\nE05 means a turning brush. E09 means a stuck brush.\n\n" + LONG
    (chosen,) = select([passage(text)], "robot says E09", by_words("stuck"), 8)
    assert sent(chosen) == ["E09 means a stuck brush."]


def test_one_sentence_is_sent_even_where_it_is_too_long() -> None:
    text = "word " * 200 + "end."
    (chosen,) = select([passage(text)], "?", by_words("end"), 20)
    assert sent(chosen) == [text]


def test_words_decide_where_there_are_no_scores() -> None:
    text = LONG + "The warranty lasts two years. " + LONG
    (chosen,) = select([passage(text)], "How long is the warranty?", lambda *_: None, 6)
    assert sent(chosen) == ["The warranty lasts two years."]


def test_no_evidence_is_no_trouble() -> None:
    assert select([], "?", by_words("a"), 100) == []


def test_a_quotation_is_short_and_holds_the_best_sentences() -> None:
    answers = "A fee is due. The fee is 5. No fee abroad. The fee is paid by card. "
    passages = [passage(LONG + answers + LONG), passage("The fee of old times.")]
    quoted = RankedSentences(passages, "fee?", by_words("fee"), count_tokens).spans_to_quote()
    text = " ".join(passages[0].words(span) for span in quoted[0])
    assert answers.strip() in text
    assert count_tokens(text) <= 120


def test_a_quotation_begins_with_the_stretch_whose_sentences_answer_together() -> None:
    """One sentence has two of three words; the stretch that has all three is quoted, though each of it has one."""
    first = "The fee is due abroad, and for what it is due is written elsewhere. " + LONG
    second = LONG + "The fee is 5. It is due by card. Abroad it is free. " + LONG
    passages = [passage(first), passage(second)]
    quoted = RankedSentences(passages, "?", by_words("fee", "card", "free"), count_tokens).spans_to_quote()
    text = " ".join(passages[1].words(span) for span in quoted[1])
    assert "The fee is 5. It is due by card. Abroad it is free." in text
    words = [one.words(span) for one, spans in zip(passages, quoted, strict=True) for span in spans]
    assert count_tokens(" ".join(words)) <= 120


def test_what_stands_below_a_reply_is_of_one_passage_and_longer_than_a_best_match() -> None:
    asked = [f"thing{number:02}" for number in range(16)]
    told = " ".join(f"What is to be known of {one} is told in this sentence." for one in asked)
    passages = [passage(LONG + told + LONG), passage("All about thing07.")]
    ranked = RankedSentences(passages, "?", by_words(*asked), count_tokens)
    below, nothing = ranked.below_reply(lambda one: True).spans
    assert nothing == ()
    words = " ".join(passages[0].words(span) for span in below)
    assert 120 < count_tokens(words) <= 200
    assert all(one in words for one in asked)
    _, other = ranked.below_reply(lambda one: one is passages[1]).spans
    assert [passages[1].words(span) for span in other] == ["All about thing07."]


def test_a_stretch_that_answers_more_of_the_question_does_so_more_probably() -> None:
    passages = [passage(LONG + "The fee abroad is 5, due by card. " + LONG), passage(LONG + "The fee is high. " + LONG)]
    ranked = RankedSentences(passages, "?", by_words("fee", "card", "abroad"), count_tokens)
    first = ranked.below_reply(lambda one: one is passages[0]).probability
    second = ranked.below_reply(lambda one: one is passages[1]).probability
    assert ranked.below_reply(lambda one: True).probability == first > second > 0


def test_nothing_is_known_of_a_stretch_without_words_or_without_likeness() -> None:
    passages = [passage("The fee is 5.")]
    ranked = RankedSentences(passages, "fee?", by_words("fee"), count_tokens)
    assert ranked.below_reply(lambda one: False).probability == 0
    unlike = RankedSentences(passages, "fee?", lambda sentences: None, count_tokens)
    assert unlike.below_reply(lambda one: True).probability == 0


def test_below_a_reply_to_several_questions_stand_two_stretches() -> None:
    passages = [passage(LONG + "The iron leaks at its seam. " + LONG), passage(LONG + "Refunds take 5 days. " + LONG)]
    whole, leaks, refunds = by_words("iron", "leak", "seam"), by_words("iron", "leak"), by_words("efund")
    parts = [QuestionPart(leaks, [0, 1]), QuestionPart(refunds, [1, 0])]

    def below(parts: Sequence[QuestionPart]) -> list[str]:
        spans = RankedSentences(passages, "?", whole, count_tokens, parts).below_reply(lambda one: True).spans
        return [" ".join(map(one.words, own)) for one, own in zip(passages, spans, strict=True)]

    assert "The iron leaks at its seam." in below(parts)[0]
    assert "Refunds take 5 days." in below(parts)[1]
    assert below([])[1] == ""


def test_the_room_that_the_stretch_leaves_goes_to_what_it_does_not_say() -> None:
    passages = [passage(LONG + "The fee is 5. " + LONG), passage(LONG + "Abroad it is free. " + LONG)]
    quoted = RankedSentences(passages, "?", by_words("fee", "free"), count_tokens).spans_to_quote()
    texts = [" ".join(one.words(span) for span in spans) for one, spans in zip(passages, quoted, strict=True)]
    assert "The fee is 5." in texts[0]
    assert "Abroad it is free." in texts[1]


@pytest.mark.parametrize("little", ["No fee.", "No.", "- fee", "What becomes free, and for whom:", '"fee",'])
def test_the_room_goes_to_no_sentence_that_says_nothing_by_itself(little: str) -> None:
    passages = [passage(LONG + "The card costs 5. " + LONG), passage(f"{LONG}\n\n{little}\n\n{LONG}")]
    quoted = RankedSentences(passages, "?", by_words("card", "fee", "free", "no."), count_tokens).spans_to_quote()
    texts = [" ".join(one.words(span) for span in spans) for one, spans in zip(passages, quoted, strict=True)]
    assert "The card costs 5." in texts[0]
    assert little not in texts[1]


def test_a_sentence_that_is_too_long_is_quoted_alone() -> None:
    text = "word " * 200 + "end."
    passages = [passage(text)]
    (quoted,) = RankedSentences(passages, "?", by_words("end"), count_tokens).spans_to_quote()
    assert [passages[0].words(span) for span in quoted] == [text]


def test_a_code_is_answered_by_the_sentences_that_have_it() -> None:
    text = LONG + "E07 means dusty sensors. E09 means a stuck brush. E16 means a hot battery."
    passages = [passage(text)]
    quoted = RankedSentences(passages, "robot says E09", by_words("means"), count_tokens).spans_to_quote()
    words = " ".join(passages[0].words(span) for span in quoted[0])
    assert words == "E09 means a stuck brush."


@pytest.mark.parametrize(
    ("about", "second"),
    [("The Ember K2 kettle holds 2 litres. A kettle K2 can be put back.", "Ember K2"), ("A kettle.", "Gale A1")],
)
def test_the_row_of_what_a_question_calls_by_another_name_is_read(about: str, second: str) -> None:
    """Customers say "the kettle", and tables have the names of products."""
    rows = ["| Latch S5 | 4 years |", "| Gale A1 | 3 years |", "| Ember K2 | 2 years |", "| Perch D2 | 3 years |"]
    table = passage(LONG + "\n\n| Product | Warranty |\n|---|---|\n" + "\n".join(rows))
    passages = [table, passage(about, 5000)]
    chosen, _ = select(passages, "How long is the warranty on the kettle?", by_words("years", "| Latch"), 10)
    words = "\n".join(sent(chosen))
    assert [row in words for row in rows] == ["Latch" in row or second in row for row in rows]


def test_the_model_does_not_read_what_stands_under_other_codes() -> None:
    codes = "## E05\n\nIt means the brush turns.\n\n## E09\n\nIt means a stuck brush."
    text = f"{LONG}\n\n{codes}\n\n## Care\n\nIt means work."
    passages = [passage(text)]

    def sent(question: str) -> str:
        ((*spans,),) = RankedSentences(passages, question, by_words("means"), count_tokens).spans_to_send(500)
        return " ".join(passages[0].words(span) for span in spans)

    assert "stuck brush" in sent("robot says E09")
    assert "turns" not in sent("robot says E09")
    assert "work" in sent("robot says E09")
    assert "turns" in sent("robot says E05 or E09")
    assert "turns" in sent("robot says E11")  # which is not there


@pytest.mark.parametrize("question", ["My R3 shows E30. What is that?", "E30"])
def test_of_a_table_of_codes_only_the_named_row_is_read_and_quoted(question: str) -> None:
    rows = ["| E22 | R3 | Tank full |", "| E28 | R2, R3 | Fan blocked |", "| E30 | R3 | Dryer too hot |"]
    table = passage("| Code | Device | Meaning |\n|---|---|---|\n" + "\n".join(rows))
    ranked = RankedSentences([table], question, by_words("shows"), count_tokens)
    for [spans] in (ranked.spans_to_send(400), ranked.spans_to_quote()):
        words = "\n".join(table.words(span) for span in spans)
        assert [row in words for row in rows] == [False, False, True]


@pytest.mark.parametrize("question", ['returned {"RetCode":18019}, why?', "接口报 18019，昨天还好好的"])
def test_a_number_with_which_a_line_begins_is_the_code_that_is_asked_for(question: str) -> None:
    rows = ["| 18004、18007 | System fault |", "| 18019 | Over 1000 numbers |", "| 18023 | Words that are blocked |"]
    table = passage("| Code | Meaning |\n|---|---|\n" + "\n".join(rows))
    items = passage("- 18023: Change the words.\n- 18019: Send fewer numbers.", 500)
    ranked = RankedSentences([table, items], question, by_words("blocked", "words"), count_tokens)
    for of_table, of_items in (ranked.spans_to_send(400), ranked.spans_to_quote()):
        words = "\n".join(table.words(span) for span in of_table)
        assert [row in words for row in rows] == [False, True, False]
        assert [items.words(span) for span in of_items] == ["- 18019: Send fewer numbers."]


def test_a_number_that_counts_or_measures_is_no_code() -> None:
    rows = ["| 300 | 12 EUR |", "| 500 | 18 EUR |"]
    table = passage("| Pages | Price |\n|---|---|\n" + "\n".join(rows))
    ranked = RankedSentences([table], "What do 300 pages cost, and 20 GB?", by_words("cost"), count_tokens)
    words = "\n".join(table.words(span) for span in ranked.spans_to_send(400)[0])
    assert all(row in words for row in rows)


def test_of_a_table_of_identifiers_the_named_row_is_quoted() -> None:
    rows = [
        f"| dds.mongo.{size} | {cores} cores |" for cores, size in enumerate(["large", "xlarge", "2xlarge", "4xlarge"])
    ]
    table = passage(LONG + "\n\n| Specification | Cores |\n|---|---|\n" + "\n".join(rows))
    ranked = RankedSentences([table], "How many cores has dds.mongo.2xlarge?", by_words("cores"), count_tokens)
    words = "\n".join(table.words(span) for span in ranked.spans_to_quote()[0])
    assert [row in words for row in rows] == [False, False, True, False]


def test_other_codes_are_left_out_of_a_short_passage_that_would_go_whole() -> None:
    passages = [passage("E05 means a turning brush. E09 means a stuck brush.")]
    (sent,) = RankedSentences(passages, "robot says E09", by_words("brush"), count_tokens).spans_to_send(500)
    assert [passages[0].words(span) for span in sent] == ["E09 means a stuck brush."]


def test_a_rare_code_weighs_more_than_a_name_that_is_everywhere() -> None:
    about_k2 = passage("The K2 kettle boils. The K2 kettle is red. The K2 kettle has a free repair. " + LONG)
    codes = passage(LONG + "E09 means a stuck brush. " + LONG)
    ranked = RankedSentences([about_k2, codes], "K2 shows E09, free repair?", by_words("free", "repair"), count_tokens)
    assert "E09 means a stuck brush." in " ".join(codes.words(span) for span in ranked.spans_to_quote()[1])


PIECES = st.sampled_from(
    [
        "A plain sentence. ",
        "\n\n## Heading\n\n",
        "| a | b |\n",
        "|---|---|\n",
        "- item\n",
        "这是一句话。",
        "It follows. ",
        "List:\n",
    ]
)


@pytest.mark.slow
@given(
    texts=st.lists(st.lists(PIECES, min_size=1, max_size=12).map("".join), min_size=1, max_size=4),
    start=st.integers(0, 50),
    budget=st.integers(1, 60),
    data=st.data(),
)
def test_spans_are_ordered_disjoint_and_within_the_budget(
    texts: list[str], start: int, budget: int, data: st.DataObject
) -> None:
    def likeness(sentences: Sequence[tuple[Evidence, TextSpan]]) -> Likeness:
        return alone([data.draw(st.floats(-1, 1)) for _ in sentences])

    chosen = select([passage(text, start) for text in texts], "?", likeness, budget)
    spans = [span for one in chosen for span in one.sent]
    assert all(one.start <= span.start < span.end <= one.end for one in chosen for span in one.sent)
    assert all(a.end <= b.start for one in chosen for a, b in pairwise(one.sent))
    assert len(spans) <= 1 or sum(count_tokens(piece) for one in chosen for piece in sent(one)) <= budget
    assert bool(spans) == any(text.strip() for text in texts)


def test_a_text_that_was_read_before_has_its_sentences_where_it_stands_now() -> None:
    text = "Not covered:\n- rust that comes from water and from salt\n- dents"
    likeness = by_words("dents")
    (alone_first,) = RankedSentences([passage(text)], "dents?", likeness, count_tokens).spans_to_send(6)
    other, later = passage("Another passage says nothing of it. " * 20, 7), passage(text, 1000)
    _, behind = RankedSentences([other, later], "dents?", likeness, count_tokens).spans_to_send(6)
    shifted = [TextSpan(one.start + 1000, one.end + 1000) for one in alone_first]
    assert list(behind) == shifted
    assert [later.words(span) for span in behind] == ["Not covered:", "- dents"]
