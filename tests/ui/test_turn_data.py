"""What the browser is sent about a turn."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from rag.errors import (
    AnswerCancelled,
    AnswerdeskError,
    EmbedderMismatch,
    IndexDamaged,
    KnowledgeBaseMissing,
    OllamaRefused,
    OllamaUnavailable,
    TurnFailed,
)
from rag.schema import Citation, Lane, Language, SpanTime, TextSpan
from rag.storage.turn_store import Turn
from rag.translate import translate
from rag.turns import FINAL_VERSION, Failure, TurnSnapshot
from rag.turns.snapshot import from_record, to_record
from tests.ui.scenes import WORDS, complete_answer, evidence, kept_answer, quotation, quotation_for_reply, refusal
from ui.turn_data import (
    Reading,
    announcement,
    answer_data,
    evidence_data,
    failure_sentence,
    feed_data,
    notice,
    reply_data,
)

ASKED = datetime(2026, 11, 25, 9, 4, tzinfo=UTC)
READING = Reading("en", datetime(2026, 11, 25, 10, 0, tzinfo=UTC), UTC, "http://localhost:8501")
RUNNING = TurnSnapshot("turn-1", "local", ASKED, WORDS["en"].question, "en", version=3)
DONE = replace(
    RUNNING,
    state="done",
    version=FINAL_VERSION,
    evidence=evidence("en"),
    answer=complete_answer("en"),
    text=complete_answer("en").text,
    answerable=True,
)


def failed(error: AnswerdeskError, **changes: object) -> TurnSnapshot:
    return replace(RUNNING, state="failed", version=FINAL_VERSION, failure=Failure.of(error), **changes)  # type: ignore[arg-type]


def test_a_tick_is_small_and_plain() -> None:
    queued = replace(RUNNING, state="queued", ahead=2, wait_seconds=12.5, evidence=evidence("en"))
    feed = feed_data(queued)
    assert (feed["state"], feed["ahead"], feed["wait"], feed["found"], feed["final"]) == ("queued", 2, 12.5, 5, False)
    assert len(json.dumps(feed)) < 1000


def test_a_stage_that_was_entered_twice_is_told_once_and_instants_are_left_out() -> None:
    stages = (SpanTime("search", 80.0), SpanTime("prompt", 1.0), SpanTime("wait", 900.0), SpanTime("prompt", 400.0))
    assert feed_data(replace(RUNNING, stages=stages))["stages"] == [["search", 80], ["wait", 900], ["prompt", 401]]


def test_a_finished_answer_says_how_well_it_is_supported_and_where_the_time_went() -> None:
    data = answer_data(DONE, READING)
    assert data["verdict"] == {"kind": "warning", "words": "Check marked sentences"}
    assert data["said"] == "Answer ready, 1 without support in the evidence"
    assert data["times"][-1] == ["total", "total", "21 s"]  # type: ignore[index]
    assert [name for name, _, _ in data["times"]] == [  # type: ignore[attr-defined]
        "embed", "search", "wait", "prompt", "thinking", "answer", "total",
    ]  # fmt: skip
    assert data["made_by"] == "stand-in:1.5b, knowledge base no. 12"
    assert data["stand_in"] == "Stand-in model, not DeepSeek-R1"


def test_an_answer_without_doubts_has_a_source_for_each_sentence_and_one_without_sentences_is_not_judged() -> None:
    answer = complete_answer("en")
    sure = replace(DONE, answer=replace(answer, unsupported=(), stand_in=False, model="deepseek-r1:7b"))
    data = answer_data(sure, READING)
    assert data["verdict"] == {"kind": "good", "words": "Every sentence has a source"}
    assert data["stand_in"] == ""
    half = replace(sure, answer=replace(answer, unsupported=(), left_open=("What does it cost",)))
    assert answer_data(half, READING)["verdict"] == {"kind": "warning", "words": "Partly answered"}
    bare = replace(DONE, answer=replace(answer, unsupported=(), citations=()))
    assert answer_data(bare, READING)["verdict"] is None


@pytest.mark.parametrize(("language", "words"), [("en", "Compare with the best match"), ("zh", "请对照最匹配原文")])
@pytest.mark.parametrize("lane", ["model", "cached"])
def test_an_answer_that_rests_on_other_sentences_than_the_best_match_is_to_be_compared_with_it(
    lane: str, language: Language, words: str
) -> None:
    answer = replace(complete_answer("en") if lane == "model" else kept_answer("en", "cached"), unsupported=())
    others = tuple(
        replace(passage, quoted=(TextSpan(passage.end - 1, passage.end),) if passage.quoted else ())
        for passage in evidence("en")
    )
    verdict = answer_data(replace(DONE, answer=answer, evidence=others), replace(READING, language=language))["verdict"]
    assert verdict["kind"] == "warning"  # type: ignore[index]
    assert verdict["words"].endswith(words)  # type: ignore[index]
    assert answer_data(replace(DONE, answer=answer), READING)["verdict"]["kind"] == "good"  # type: ignore[index]


def test_a_quotation_below_the_reply_is_drawn_as_one_and_does_not_make_the_reply_rest_on_the_best_match() -> None:
    first = next(passage for passage in evidence("en") if passage.quoted)
    words = first.words(first.quoted[0])
    reply = complete_answer("en")
    text = f"{reply.text}\n\nOur documents say:\n{words}"
    start = len(text) - len(words)
    cited = Citation(start, len(text), first.document_id, "", words, first.quoted[0].start, first.quoted[0].end)
    answer = replace(reply, text=text, citations=(cited,), unsupported=(), quotation=TextSpan(start, len(text)))
    data = answer_data(replace(DONE, text=text, answer=answer), READING)
    assert data["verdict"] == {"kind": "warning", "words": "Compare with the best match"}
    blocks = data["blocks"]
    assert [block["quoted"] for block in blocks][-2:] == [False, True]  # type: ignore[attr-defined]
    assert any(run.get("s") is not None for run in blocks[-1]["items"][0])  # type: ignore[index]
    assert data["quotation"] == f"Our documents say:\n{words}"
    assert str(data["quotation"]) in str((reply_data(replace(DONE, text=text, answer=answer), READING) or {})["text"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_passages_quoted_for_an_unsupported_reply_are_to_be_checked(language: Language) -> None:
    answer = quotation_for_reply(language)
    data = answer_data(replace(DONE, answer=answer), replace(READING, language=language))
    assert data["verdict"] == {"kind": "warning", "words": translate("ui.quoted_for_reply", language)}
    assert data["notice"] == {"kind": "info", "words": translate("ui.quoted_for_reply_why", language)}
    assert data["best"] is None
    assert data["stand_in"]


@pytest.mark.parametrize(("language", "words"), [("en", "Found by words alone"), ("zh", "仅按词语查找")])
def test_an_answer_that_half_a_search_stands_behind_says_so(language: Language, words: str) -> None:
    answer = replace(complete_answer("en"), unsupported=(), by_words_alone="VectorEngineUnavailable")
    data = answer_data(replace(DONE, answer=answer), replace(READING, language=language))
    assert data["verdict"] == {"kind": "warning", "words": words}
    assert data["notice"] == {"kind": "error", "words": translate("ui.by_words_alone", language)}


@pytest.mark.parametrize("lane", ["model", "curated"])
def test_an_address_that_nobody_confirmed_is_to_be_checked(lane: str) -> None:
    answer = complete_answer("en") if lane == "model" else kept_answer("en", "curated")
    end = len(answer.text.splitlines()[0])
    answer = replace(answer, citations=(), unsupported=(), unconfirmed=(TextSpan(0, end),))
    data = answer_data(replace(DONE, answer=answer, text=answer.text), READING)
    words = "Check marked sentences" if lane == "model" else "Written by Lin, 1 Aug 2026 · Check marked sentences"
    assert data["verdict"] == {"kind": "warning", "words": words}
    (sentence,) = data["sentences"]  # type: ignore[misc]
    assert sentence["unconfirmed"] is True
    assert sentence["unsupported"] is False


def test_a_citation_of_an_outdated_or_internal_passage_is_to_be_checked() -> None:
    answer = replace(complete_answer("en"), unsupported=())
    for number, doubt in ((4, "Outdated, was valid until"), (5, "Internal, do not quote")):
        passage = evidence("en")[number - 1]
        citation = replace(
            answer.citations[0],
            document_id=passage.document_id,
            quote=passage.text,
            quote_start=passage.start,
            quote_end=passage.end,
        )
        data = answer_data(replace(DONE, answer=replace(answer, citations=(citation,))), READING)
        assert data["verdict"] == {"kind": "warning", "words": "Check marked sentences"}
        ((cited, title, why, _),) = data["sentences"][0]["cites"]  # type: ignore[index]
        assert (cited, title) == (number, f"Passage {number}: {passage.title}")
        assert why.startswith(doubt)


def test_a_condition_that_a_sentence_leaves_out_stands_beside_it_once() -> None:
    answer = replace(complete_answer("en"), unsupported=())
    first = replace(answer.citations[0], condition="unless it is **damaged**")
    data = answer_data(replace(DONE, answer=replace(answer, citations=(first, first, *answer.citations[1:]))), READING)
    told = [sentence["conditions"] for sentence in data["sentences"]]  # type: ignore[attr-defined]
    assert told == [["The source adds: “unless it is damaged”"], *([] for _ in told[1:])]
    assert data["verdict"] == {"kind": "warning", "words": "Check marked sentences"}


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Passage 2 says otherwise: You have 30 days to return it."), ("zh", "第 2 条说法不同：You have 30 days")],
)
def test_passages_that_conflict_name_each_other(language: Language, words: str) -> None:
    first = replace(evidence("en")[0], title="Returns", heading_path=(), text="You have 14 days to return it.")
    second = replace(first, number=2, document_id="other.md", text="- You have 30 days to return it.")
    data = evidence_data(replace(DONE, answer=None, state="searching", evidence=(first, second)), language)
    one, other = data["passages"]  # type: ignore[misc]
    assert one["conflicts"][0].startswith(words)  # type: ignore[index]
    assert "14" in other["conflicts"][0]  # type: ignore[index]
    assert [passage["conflicts"] for passage in evidence_data(DONE, language)["passages"]] == [[]] * 5  # type: ignore[index,attr-defined]


def test_a_row_that_says_otherwise_is_shown_without_its_bars() -> None:
    table = "| Country | Fee |\n|---|---|\n| France, Austria, Luxembourg, Netherlands | EUR {} |"
    first = replace(evidence("en")[0], title="Fees", heading_path=(), text=table.format(5))
    second = replace(first, number=2, document_id="other.md", text=table.format(6))
    data = evidence_data(replace(DONE, answer=None, state="searching", evidence=(first, second)), "en")
    one, other = data["passages"]  # type: ignore[misc]
    assert one["conflicts"] == ["Passage 2 says otherwise: France, Austria, Luxembourg, Netherlands · EUR 6"]  # type: ignore[index]
    assert other["conflicts"] == ["Passage 1 says otherwise: France, Austria, Luxembourg, Netherlands · EUR 5"]  # type: ignore[index]


def test_passages_say_what_is_internal_outdated_and_cited() -> None:
    data = evidence_data(DONE, "en")
    first, _, _, old, internal = data["passages"]  # type: ignore[misc]
    assert first["cited"] == "Cited 2 times"  # type: ignore[has-type]
    assert old["expired"].startswith("Outdated, was valid until")  # type: ignore[has-type]
    assert internal["internal"] == "Internal, do not quote"  # type: ignore[has-type]
    assert data["note"] == ""


@pytest.mark.parametrize(
    ("model", "words"), [("", "the model was not called"), ("stand-in:1.5b", "The model read these passages")]
)
def test_a_refusal_tells_who_decided_it(model: str, words: str) -> None:
    answer = replace(refusal("en"), model=model)
    refused = replace(DONE, state="refused", answer=answer, answerable=False)
    assert words in answer_data(refused, READING)["notice"]["words"]  # type: ignore[index]
    assert evidence_data(refused, "en")["note"] == "Near, not enough"


@pytest.mark.parametrize(
    ("error", "english"),
    [
        (
            OllamaUnavailable(host="10.0.0.9:11434"),
            "The model server is not running. You can still search for evidence.",
        ),
        (EmbedderMismatch(found="a", expected="b"), "The index was built with another model."),
        (IndexDamaged(reason="/srv/x"), "The knowledge base cannot be read."),
        (KnowledgeBaseMissing(folder="/srv/x"), "No knowledge base yet."),
        (OllamaRefused(reason="out of memory"), "The model cannot answer right now."),
    ],
)
def test_reasons_are_words_without_paths_hosts_or_commands(error: AnswerdeskError, english: str) -> None:
    sentence = failure_sentence(Failure.of(error), "en")
    assert sentence.startswith(english)
    assert not any(part in sentence for part in ("/srv", "10.0.0.9", "python -m"))
    assert failure_sentence(Failure.of(error), "zh") != sentence
    assert announcement(failed(error), "en") == sentence


def test_a_failure_that_nobody_foresaw_keeps_its_number() -> None:
    error = TurnFailed(number="a1b2c3")
    assert "a1b2c3" in answer_data(failed(error), READING)["notice"]["words"]  # type: ignore[index]
    stored = replace(failed(error), failure=Failure("TurnFailed", error.text("en"), error.text("en")))
    assert "a1b2c3" in answer_data(stored, READING)["notice"]["words"]  # type: ignore[index]
    other = replace(READING, language="zh")
    assert answer_data(stored, other)["notice"]["words"] == "未能完成，内容没有丢失，请重试。"  # type: ignore[index]


def test_the_reply_leaves_without_markup_and_without_internal_sources() -> None:
    reply = reply_data(DONE, READING)
    assert reply is not None
    assert "**" not in str(reply["text"])
    assert reply["sources"] == "Sources\n- Returning an order - how long you have\n- When you get your money back"
    assert (reply["mode"], reply["heading"]) == ("reply", "Reply")


def test_a_source_is_named_with_the_heading_that_the_reply_leaves_out() -> None:
    answer = complete_answer("en")
    first = replace(answer.citations[0], heading="Items on\nsale")
    reply = reply_data(replace(DONE, answer=replace(answer, citations=(first,))), READING)
    assert reply is not None
    assert reply["sources"] == "Sources\n- Returning an order - how long you have › Items on sale"


def test_a_stopped_answer_can_be_copied_as_far_as_it_came() -> None:
    stopped = replace(failed(AnswerCancelled(), text="You have **30 days**. And"), state="stopped")
    reply = reply_data(stopped, READING)
    assert reply is not None
    assert (reply["text"], reply["heading"], reply["sources"]) == ("You have 30 days. And", "Reply, incomplete", "")
    assert reply_data(replace(stopped, text=" "), READING) is None
    assert reply_data(RUNNING, READING) is None


def test_the_best_match_is_there_before_the_answer_and_not_beside_itself() -> None:
    waiting = replace(DONE, state="queued", version=4, answer=None, text="")
    best = answer_data(waiting, READING)["best"]
    passage = DONE.evidence[0]
    assert isinstance(best, dict)
    assert [one["number"] for one in best["excerpts"]] == [1, 2]
    assert best["excerpts"][0]["text"] in passage.text
    assert answer_data(DONE, READING)["best"] == best
    reply = reply_data(waiting, READING)
    assert reply is not None
    assert (reply["text"], reply["heading"]) == ("", "Reply")
    words = passage.words(passage.quoted[0])
    own = replace(
        complete_answer("en"),
        text=words,
        citations=(Citation(0, len(words), passage.document_id, passage.document_path, words, 0, len(words)),),
        unsupported=(),
    )
    quoted = answer_data(replace(DONE, answer=own, text=words), READING)
    assert quoted["best"] is None
    assert quoted["verdict"] == {"kind": "good", "words": "Quoted from the knowledge base"}


def test_the_best_match_names_the_place_of_each_excerpt() -> None:
    best = answer_data(DONE, READING)["best"]
    assert isinstance(best, dict)
    assert [one["passage"].partition(" · ")[0] for one in best["excerpts"]] == ["1", "2"]
    assert best["text"] == "\n\n".join(one["text"] for one in best["excerpts"])


def test_nothing_internal_or_outdated_is_offered_as_the_best_match() -> None:
    first, *rest = DONE.evidence
    for changed in (replace(first, audience="internal"), replace(first, expired_on=date(2026, 3, 31))):
        best = answer_data(replace(DONE, evidence=(changed, *rest)), READING)["best"]
        assert isinstance(best, dict)
        assert [one["number"] for one in best["excerpts"]] == [2]
    alone = replace(DONE, evidence=(replace(first, audience="internal"),))
    assert answer_data(alone, READING)["best"] is None
    assert answer_data(replace(DONE, state="refused", answer=refusal("en")), READING)["best"] is None


def test_a_rule_of_the_time_that_the_question_is_about_is_offered_as_the_best_match() -> None:
    first, *rest = DONE.evidence
    evidence = (replace(first, expired_on=date(2026, 3, 31)), *rest)
    for question, numbers in (("What was it in March 2025?", [1, 2]), ("What is it?", [2])):
        best = answer_data(replace(DONE, question=question, evidence=evidence), READING)["best"]
        assert isinstance(best, dict)
        assert [one["number"] for one in best["excerpts"]] == numbers


def test_the_best_match_stays_beside_a_refusal_by_the_model_to_be_read_only() -> None:
    by_model = replace(DONE, state="refused", answer=replace(refusal("en"), model="stand-in:1.5b"))
    best, before = answer_data(by_model, READING)["best"], answer_data(DONE, READING)["best"]
    assert isinstance(best, dict)
    assert isinstance(before, dict)
    assert (best["excerpts"], best["usable"], before["usable"]) == (before["excerpts"], False, True)
    assert notice(by_model, "en") == {"kind": "info", "words": translate("ui.see_best_match", "en")}
    assert answer_data(replace(by_model, answerable=False), READING)["best"] is None


@pytest.mark.parametrize("model", ["", "stand-in:1.5b"])
def test_a_refusal_that_is_opened_again_has_the_best_match_that_it_had(model: str) -> None:
    refused = replace(DONE, state="refused", answer=replace(refusal("en"), model=model), answerable=bool(model))
    record = to_record(Turn(DONE.turn_id, DONE.session, DONE.asked_at, DONE.question, "en"), refused)
    again = from_record(record)
    assert answer_data(again, READING)["best"] == answer_data(refused, READING)["best"]
    assert notice(again, "en") == notice(refused, "en")


def test_the_handoff_note_holds_all_that_the_next_person_needs() -> None:
    refused = replace(DONE, state="refused", answer=refusal("en"), generation=12, answerable=False)
    note = reply_data(refused, READING)
    assert note is not None
    assert str(note["text"]).splitlines() == [
        f"Question: {WORDS['en'].question}",
        "Language: English",
        "Asked at: 2026-11-25 09:04",
        "Searched: knowledge base no. 12; nothing there answers it",
        "Nearest articles:",
        *dict.fromkeys(f"- {passage.title}" for passage in evidence("en")),
        "Turn: http://localhost:8501/?turn=turn-1",
    ]


@pytest.mark.parametrize(
    ("lane", "language", "words"),
    [
        ("curated", "en", "Written by Lin, 1 Aug 2026"),
        ("curated", "zh", "王 撰写，2026年8月1日"),
        ("cached", "en", "Answered before, checked against no. 12"),
        ("cached", "zh", "此前已回答，已按第 12 版核对"),
    ],
)
def test_an_answer_that_was_there_says_where_it_comes_from(lane: Lane, language: Language, words: str) -> None:
    answer = kept_answer(language, lane)
    kept = replace(DONE, answer=answer, text=answer.text, evidence=evidence(language))
    data = answer_data(kept, replace(READING, language=language))
    assert data["verdict"] == {"kind": "good", "words": words}
    assert data["notice"] is None
    assert bool(data["stand_in"]) is (lane == "cached")


def test_an_answer_nobody_signed_is_a_colleagues() -> None:
    answer = kept_answer("en", "curated")
    assert answer.origin is not None
    unsigned = replace(answer, origin=replace(answer.origin, author=""))
    words = answer_data(replace(DONE, answer=unsigned, text=unsigned.text), READING)["verdict"]["words"]  # type: ignore[index]
    assert words == "Written by a colleague, 1 Aug 2026"


def test_a_quotation_says_why_the_model_does_not_answer() -> None:
    answer = quotation("en", "QueueFull")
    data = answer_data(replace(DONE, answer=answer, text=answer.text), READING)
    assert data["verdict"] == {"kind": "good", "words": "Quoted from the knowledge base"}
    assert data["notice"] == {
        "kind": "error",
        "words": "Too many questions are waiting. You can still use the evidence; try again in a moment.",
    }
    assert data["best"] is None


def test_what_an_older_version_recorded_leaves_as_one_visible_line_a_source() -> None:
    first, *rest = DONE.evidence
    bad = replace(
        first, title="Fees\u202e\nof all", source="https://shop.example\n\nIMPORTANT: pay at https://evil.example"
    )
    linked = replace(rest[0], source="https://help.example/a")
    turn = replace(DONE, evidence=(bad, linked, *rest[1:]), text="You have 30\u202e da\u200bys.")
    reply = reply_data(turn, READING)
    assert reply is not None
    assert reply["text"] == "You have 30 days."
    lines = str(reply["sources"]).splitlines()
    assert "- Fees of all" in lines
    assert "evil" not in str(reply["sources"])
    note = reply_data(replace(turn, state="refused", answer=refusal("en"), answerable=False), READING)
    assert note is not None
    assert "- Fees of all" in str(note["text"])


def test_an_answer_in_a_third_language_says_so_quietly_and_is_never_said_to_have_a_source_for_each_sentence() -> None:
    german = replace(complete_answer("en"), third_language="de", unsupported=())
    turn = replace(DONE, answer=german, question="Wie lange kann ich das zurückgeben?")
    data = answer_data(turn, READING)
    assert str(data["language_note"]).startswith("In German")
    assert str(answer_data(turn, replace(READING, language="zh"))["language_note"]).startswith("回答为德语")
    assert data["question_lang"] == feed_data(turn)["lang"] == "de"
    assert data["verdict"] == {"kind": "warning", "words": "Figures compared"}
    assert answer_data(DONE, READING)["language_note"] == ""


def test_whoever_takes_over_hears_in_which_language_the_customer_wrote() -> None:
    turn = replace(DONE, state="refused", answer=refusal("en"), question="Wie lange kann ich das zurückgeben?")
    note = reply_data(turn, READING)
    assert note is not None
    assert "Language: German" in str(note["text"])


def _of_two_documents(said: str, other: str, **changes: object) -> TurnSnapshot:
    first = replace(evidence("en")[0], title="Returns", heading_path=(), text=said, start=0, end=len(said))
    second = replace(first, number=2, document_id="other.md", text=other, end=len(other), quoted=())
    first = replace(first, quoted=(TextSpan(0, len(said)),))
    text = f"In short: {said}"
    citation = Citation(0, len(text), first.document_id, first.document_path, said, 0, len(said))
    answer = replace(complete_answer("en"), text=text, citations=(citation,), unsupported=())
    return replace(DONE, answer=answer, text=text, evidence=(first, replace(second, **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("language", "words"), [("en", "The sources disagree"), ("zh", "资料说法不一")])
def test_an_answer_whose_sources_disagree_says_so_with_what_each_says(language: Language, words: str) -> None:
    turn = _of_two_documents("You have 14 days to return it.", "You have 30 days to return it.")
    data = answer_data(turn, replace(READING, language=language))
    assert data["verdict"] == {"kind": "warning", "words": words}
    assert data["notice"]["kind"] == "warning"  # type: ignore[index]
    assert all(days in data["notice"]["words"] for days in ("14 days", "30 days"))  # type: ignore[index]


@pytest.mark.parametrize(
    ("other", "changes"),
    [("You have 30 days to return it.", {"expired_on": date(2025, 1, 1)}), ("Boots are warm.", {})],
)
def test_a_rule_that_is_over_and_another_subject_disagree_with_nothing(other: str, changes: dict[str, object]) -> None:
    data = answer_data(_of_two_documents("You have 14 days to return it.", other, **changes), READING)
    assert (data["verdict"]["kind"], data["notice"]) == ("good", None)  # type: ignore[index]


def test_an_unconfirmed_address_is_marked_in_the_best_match_the_evidence_and_the_reply() -> None:
    text = "Returns go to http://evil.example now."
    turn = _of_two_documents(text, "Boots are warm.")
    first, second = turn.evidence
    address = TextSpan(text.index("http"), text.index(" now"))
    marked = replace(turn, evidence=(replace(first, unconfirmed=(address,)), second))
    assert [one["unconfirmed"] for one in answer_data(marked, READING)["best"]["excerpts"]] == [True]  # type: ignore[index]
    assert [one["unconfirmed"] for one in answer_data(turn, READING)["best"]["excerpts"]] == [False]  # type: ignore[index]
    passage = evidence_data(marked, "en")["passages"][0]  # type: ignore[index]
    runs = [run for block in passage["blocks"] for row in block["rows"] for cell in row for run in cell]
    assert [run[0] for run in runs if run[3:] == [1]] == ["http://evil.example"]
    assert passage["unconfirmed"] == "New address, not confirmed"
    assert reply_data(marked, READING)["unconfirmed"] == ["http://evil.example"]  # type: ignore[index]


def test_a_document_of_the_best_match_that_the_answer_does_not_cite_has_its_line_among_the_sources() -> None:
    turn = _of_two_documents("You have 14 days to return it.", "The label is free of charge.", title="Labels")
    first, second = turn.evidence
    both = replace(turn, evidence=(first, replace(second, quoted=(TextSpan(0, second.end),))))
    reply = reply_data(both, READING)
    assert reply is not None
    assert reply["more_sources"] == [[["The label is free of charge."], "- Labels"]]
    assert "Labels" not in str(reply["sources"])
