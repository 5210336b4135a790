"""Two finished runs on disk: compared, and shown on a page that needs nothing but itself."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from eval.__main__ import main
from eval.answers.asking import Record, TokenCounts
from eval.answers.scores import summarise
from eval.compare.pairs import arm_of, compare_runs, side_by_side, values_of
from eval.compare.report_page import page
from eval.core.runs import Run
from eval.refusal.benchmark import Judgement, figures
from eval.retrieval.rankings import Ranking
from eval.retrieval.rankings import summarise as summarise_found
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.schema import Answer, Language
from rag.settings import Settings, load_settings
from tests.eval.cases import question, record

QUESTIONS = tuple(question(name) for name in "abcdef")
RIGHT = Answer("It is 7 days.", "en", False, "", (), (), (), "stand-in:0.5b", True, 1)
WRONG = replace(RIGHT, text="<script>alert(1)</script> & 17 days")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    yield load_settings()
    load_settings.cache_clear()


def save(run: Run, command: str, questions: tuple[GoldenQuestion, ...], records: list[object]) -> Run:
    run.begin({"command": command, "set": "sample"}, questions)
    adapter = TypeAdapter(type(records[0]))
    lines = [adapter.dump_json(one).decode() + "\n" for one in records]
    (run.folder / "records.jsonl").write_text("".join(lines), encoding="utf-8")
    return run


def save_answers(settings: Settings, name: str, right: str) -> None:
    records: list[Record] = [record(one.question_id, RIGHT if one.question_id in right else WRONG) for one in QUESTIONS]
    records += [replace(record(one.question_id, RIGHT), arm="ceiling") for one in QUESTIONS]
    run = save(Run.named(name, settings), "answers", QUESTIONS, list(records))
    run.save_figures(summarise(QUESTIONS, records))


@pytest.mark.slow
def test_win_tie_and_loss_question_by_question(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_answers(settings, "monday", right="ab")
    save_answers(settings, "tuesday", right="bcde")
    written = tmp_path / "figures.json"
    assert main(["compare", "monday", "tuesday", "--json", str(written)]) == 0
    said = capsys.readouterr().out
    assert "may be chance" in said
    assert "worse: a\nbetter: c, d, e\n" in said
    saved = json.loads(written.read_text("utf-8"))
    right = saved["measures"]["right"]
    assert (right["wins"], right["ties"], right["losses"], right["n"]) == (3, 2, 1, 6)
    assert right["p_value"] == pytest.approx(2 * (1 + 4) / 16)
    assert saved["questions"]["a"] == "loss"


@pytest.mark.slow
def test_evidence_is_compared_where_both_models_were_asked(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, evidence in (("top5", {"a": 800, "b": 600, "c": 0}), ("own", {"a": 250, "b": 240, "d": 200})):
        records = [
            replace(record(key, RIGHT), tokens=TokenCounts(prompt=900 if evidence.get(key) else 0, evidence=count))
            for key, count in ({one.question_id: 0 for one in QUESTIONS} | evidence).items()
        ]
        save(Run.named(name, settings), "answers", QUESTIONS, list(records))
    written = tmp_path / "figures.json"
    assert main(["compare", "top5", "own", "--json", str(written)]) == 0
    tokens = json.loads(written.read_text("utf-8"))["evidence_tokens"]
    assert tokens == {"first": 700.0, "second": 245.0, "share": 0.35}
    assert "700 and 245 (35%)" in capsys.readouterr().out


@pytest.mark.slow
def test_an_arm_is_a_run_of_its_own(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    save_answers(settings, "monday", right="")
    assert main(["compare", "monday:ceiling", "monday"]) == 0
    assert "The runs differ in right" in capsys.readouterr().out
    assert main(["compare", "monday:floor", "monday"]) == 2
    assert "floor" in capsys.readouterr().err
    assert arm_of("C:own") == ("C", "own")


def test_settings_that_differ_are_named(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    for name, candidates in (("many", 50), ("few", 5)):
        run = Run.named(name, settings)
        identity = {"command": "retrieval", "set": "sample", "settings": {"candidates": candidates, "reranker": ""}}
        run.begin(identity, QUESTIONS)
        line = TypeAdapter(Ranking).dump_json(Ranking("a", ("d1",), ("d1",), 5.0)).decode() + "\n"
        (run.folder / "records.jsonl").write_text(line, encoding="utf-8")
        run.save_figures(summarise_found({"sample": [Ranking("a", ("d1",), ("d1",), 5.0)]}))
    assert main(["compare", "many", "few"]) == 0
    said = capsys.readouterr().out
    assert "setting candidates: 50 → 5\n" in said
    assert "reranker" not in said


def save_rankings(settings: Settings, name: str, questions: tuple[GoldenQuestion, ...], found: str = "abcdef") -> Run:
    rankings: list[object] = [
        Ranking(one.question_id, ("d1",), ("d1" if one.question_id in found else "d2",), 5.0) for one in questions
    ]
    run = save(Run.named(name, settings), "retrieval", questions, rankings)
    run.save_figures({})
    return run


def test_questions_of_the_same_id_and_other_words_are_not_compared(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    save_rankings(settings, "monday", QUESTIONS)
    others = tuple(replace(one, question=f"another {one.question}") for one in QUESTIONS)
    save_rankings(settings, "other", others)
    assert main(["compare", "monday", "other"]) == 2
    assert "no question and measure in common" in capsys.readouterr().err
    save_rankings(settings, "half", (*others[:3], *QUESTIONS[3:]), found="")
    assert main(["compare", "monday", "half"]) == 0
    assert "worse: d, e, f\n" in capsys.readouterr().out
    compared = side_by_side(Run.named("monday", settings), Run.named("half", settings))
    assert [one.question.question_id for one in compared] == ["d", "e", "f"]


def test_other_known_answers_of_the_same_questions_are_said(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    save_rankings(settings, "monday", QUESTIONS)
    save_rankings(settings, "other", (replace(QUESTIONS[0], relevant=("d2",)), *QUESTIONS[1:]))
    assert main(["compare", "monday", "other"]) == 0
    assert "The known answers of 1 question differ" in capsys.readouterr().out


def test_an_unfinished_run_is_named(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_rankings(settings, "whole", QUESTIONS)
    half = save_rankings(settings, "half", QUESTIONS)
    (half.folder / "figures.json").unlink()
    lines = (half.folder / "records.jsonl").read_text("utf-8").splitlines(keepends=True)
    (half.folder / "records.jsonl").write_text("".join(lines[:2]), encoding="utf-8")
    written = tmp_path / "figures.json"
    assert main(["compare", "whole", "half", "--json", str(written)]) == 0
    assert "half is not finished: 2 of 6 questions\n" in capsys.readouterr().out
    assert json.loads(written.read_text("utf-8"))["unfinished"] == [{"name": "half", "done": 2, "total": 6}]
    assert main(["compare", "whole", "whole"]) == 2
    assert "compared with itself" in capsys.readouterr().err
    assert main(["report", "half", "--html", str(tmp_path / "page.html")]) == 2
    assert "the run half is not finished" in capsys.readouterr().err


def test_measures_can_be_told_apart_in_eighty_columns(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    save_rankings(settings, "default-1-sample-search", QUESTIONS)
    save_rankings(settings, "default-1-sample-5-candidates", QUESTIONS, found="ab")
    assert main(["compare", "default-1-sample-search", "default-1-sample-5-candidates"]) == 0
    said = capsys.readouterr().out
    first_words = [line.split()[0] for line in said.splitlines() if line.split()]
    for measure in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr_at_10", "ndcg_at_10"):
        assert measure in first_words
    assert "…" not in said
    assert "-0.667 -1.000 – -0.333" in " ".join(said.split())


def test_equal_runs_do_not_differ(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    save_rankings(settings, "monday", QUESTIONS)
    save_rankings(settings, "tuesday", QUESTIONS)
    assert main(["compare", "monday", "tuesday"]) == 0
    said = capsys.readouterr().out
    assert "No question differs in recall_at_1." in said
    assert "chance" not in said


def test_runs_of_different_kinds_have_nothing_in_common(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    save_answers(settings, "monday", right="a")
    save(Run.named("found", settings), "retrieval", QUESTIONS, [Ranking("a", ("d1",), ("d2", "d1"), 5.0)])
    assert main(["compare", "monday", "found"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "monday is one of answers, found one of retrieval" in said
    assert main(["compare", "monday", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_each_kind_of_run_has_its_measures(settings: Settings, tmp_path: Path) -> None:
    found = values_of(
        save(Run.named("found", settings), "retrieval", QUESTIONS, [Ranking("a", ("d1",), ("d2", "d1"), 5.0)])
    )
    assert (found["recall_at_1"]["a"], found["recall_at_5"]["a"], found["mrr_at_10"]["a"]) == (0.0, 1.0, 0.5)
    judged = [
        Judgement("a", "", True, 0.9, False, 0.9, None, 5.0),
        Judgement("b", "", False, 0.9, False, 0.9, None, 5.0),
    ]
    right = values_of(save(Run.named("refused", settings), "refusal", QUESTIONS, list(judged)))["right"]
    assert right == {"a": 1.0, "b": 0.0}
    other = Run(tmp_path)
    other.begin({"command": "baking"}, ())
    with pytest.raises(SettingsError, match="not a run"):
        values_of(other)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "title"), [("en", "measured quality"), ("zh", "质量报告")])
def test_the_page_needs_nothing_but_itself(
    language: str, title: str, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_answers(settings, "monday", right="ab")
    save_answers(settings, "tuesday", right="bcde")
    ranking = Ranking("a", ("d1",), ("d2", "d1"), 5.0)
    run = save(Run.named("found", settings), "retrieval", QUESTIONS, [ranking])
    run.save_figures(summarise_found({"sample": [ranking]}))
    judged = [
        Judgement("a", "", True, 0.9, False, 0.9, None, 5.0),
        Judgement("b", "", False, 0.2, True, 0.2, None, 5.0),
    ]
    run = save(Run.named("refused", settings), "refusal", QUESTIONS, list(judged))
    run.save_figures(figures(judged))

    html = tmp_path / "page.html"
    options = ["report", "monday", "tuesday", "found", "refused", "--html", str(html), "--language", language]
    assert main(options) == 0
    text = html.read_text("utf-8")
    assert title in text
    assert f'lang="{language}"' in text
    assert text.count("<svg") == 2 * 4 + 2 + 2
    assert not re.search(r"<script|<link|https?://|src=|@import", text), "nothing is run or fetched"
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; 17 days" in text
    assert "monday → tuesday" in text
    assert "tuesday → found" not in text
    assert "page.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("language", "words"), [("en", "answering: as on the desk, ceiling"), ("zh", "与工作台相同，上限")]
)
def test_the_page_names_facts_measures_and_stages_in_its_language(
    language: Language, words: str, settings: Settings
) -> None:
    save_answers(settings, "monday", right="ab")
    save_answers(settings, "tuesday", right="bc")
    runs = [Run.named(name, settings) for name in ("monday", "tuesday")]
    known = {"stand_in": True, "by": "retrieval", "arms": ["own", "ceiling"], "context": "own", "generation": 1}
    for run in runs:
        (run.folder / "run.json").write_text(json.dumps(run.identity() | known), encoding="utf-8")
        stages = {name: {"n": 1, "p50": 1, "p95": 1, "p99": 1} for name in ("embed", "until_first_answer_token")}
        run.save_figures(run.figures() | {"latency_ms": stages})
    compared = compare_runs("monday", "tuesday", settings).measures
    text = page(runs, [("monday", "tuesday", compared)], language)
    seen = re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)
    assert words in seen
    assert re.findall(r"\b[a-z]+_[a-z_]+\b", seen) == []


def test_a_page_that_cannot_be_written_is_one_sentence(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_answers(settings, "monday", right="a")
    assert main(["report", "monday", "--html", str(tmp_path / "nowhere" / "page.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (Run.named("monday", settings).folder / "figures.json").unlink()
    assert main(["report", "monday", "--html", str(tmp_path / "page.html")]) == 2
    assert "figures.json" in capsys.readouterr().err


def test_runs_of_other_commands_have_no_page(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.named("fitted", settings)
    run.begin({"command": "calibrate refusal"}, QUESTIONS)
    run.save_figures({})
    assert main(["report", "fitted", "--html", "never.html"]) == 2
    assert "calibrate refusal" in capsys.readouterr().err
