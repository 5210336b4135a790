"""The benchmark of the search: figures by hand, and the whole way over small sets."""

import json
from pathlib import Path

import pytest

from eval import __main__ as command
from eval.commands import retrieval as retrieval_command
from eval.core.question_sets import QuestionSet, sets_in
from eval.core.runs import Run
from eval.retrieval.benchmark import run
from eval.retrieval.rankings import Ranking, figures, summarise
from ingest.golden import load_questions
from rag.errors import SettingsError, SourceMissing
from rag.settings import Settings, load_settings
from rag.testing import HashEmbedder


def ranking(*documents: str, ms: float = 10.0, relevant: tuple[str, ...] = ("d1",)) -> Ranking:
    return Ranking("q", relevant, documents, ms)


def test_figures_by_hand() -> None:
    found = figures([ranking("d1", ms=10), ranking("d2", "d1", ms=20), ranking("d2", ms=30), ranking(ms=40)])
    assert found["n"] == 4
    assert (found["recall_at_1"], found["recall_at_5"], found["mrr_at_10"]) == (0.25, 0.5, 0.375)
    assert found["ndcg_at_10"] == pytest.approx((1 + 0.6309) / 4, abs=1e-4)
    assert found["latency_ms"] == {"p50": 25.0, "p95": 38.5, "p99": 39.7}


def test_few_questions_do_not_claim_certainty() -> None:
    two = figures([ranking("d1"), ranking("d1")])["intervals"]
    one = figures([ranking("d1")])["intervals"]
    assert isinstance(two, dict) and isinstance(one, dict)
    assert two["recall_at_1"] == (0.34238, 1.0)  # Wilson's of 2 of 2: 2 / (2 + 1.96²)
    assert (one["mrr_at_10"], one["ndcg_at_10"]) == (None, None)


def test_sets_count_alike_however_large() -> None:
    found = summarise({"large": [ranking("d1")] * 9, "small": [ranking("d2")]})
    assert (found["n"], found["recall_at_1"]) == (10, 0.5)
    by_set = found["by_set"]
    assert isinstance(by_set, dict)
    assert {name: one["recall_at_1"] for name, one in by_set.items()} == {"large": 1.0, "small": 0.0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two question sets, of which one has a follow-up, and a folder that is none."""
    for name in ("first", "second"):
        place = tmp_path / "sets" / name
        place.mkdir(parents=True)
        texts = {
            "d1": "replace the battery of the doorbell",
            "d2": "a refund takes seven days",
            "d3": "W-203: no water",
        }
        rows = [{"id": key, "title": "", "text": text} for key, text in texts.items()]
        (place / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        asked = [
            {"id": "1", "question": "doorbell battery", "lang": "en", "relevant": ["d1"]},
            {
                "id": "2",
                "question": "and how many?",
                "lang": "en",
                "relevant": ["d2"],
                "history": [{"role": "user", "text": "refund days"}, {"role": "assistant", "text": "battery doorbell"}],
            },
            {"id": "3", "question": "banana bread", "lang": "en", "relevant": [], "answerable": False},
        ]
        (place / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (tmp_path / "sets" / "notes").mkdir()
    return tmp_path / "sets"


@pytest.mark.slow
def test_a_follow_up_is_searched_behind_the_turn_before(folder: Path, tmp_path: Path) -> None:
    one = sets_in(folder)[0].with_relevant()
    assert [question.previous for question in one.questions] == ["", "refund days"]
    settings = Settings(data_dir=tmp_path / "data")
    rankings = run(one, settings, HashEmbedder(), Run.named("a", settings))
    assert [ranking.documents[0] for ranking in rankings] == ["d1", "d2"]
    assert all(ranking.duration_ms > 0 for ranking in rankings)


@pytest.mark.slow
def test_a_corpus_is_kept_by_its_content_and_a_changed_one_gets_its_own(folder: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    kept = tmp_path / "data" / "runs" / "knowledge"
    one = QuestionSet.load(folder / "first" / "corpus.jsonl", folder / "first" / "questions.jsonl").with_relevant()
    run(one, settings, HashEmbedder(), Run.named("a", settings))
    run(
        QuestionSet("other", folder / "second" / "corpus.jsonl", one.questions),
        settings,
        HashEmbedder(),
        Run.named("b", settings),
    )
    assert len(list(kept.iterdir())) == 1, "the same content in another folder"
    assert one.corpus is not None
    with one.corpus.open("a") as file:
        file.write('{"id": "d4", "text": "new"}\n')
    run(one, settings, HashEmbedder(), Run.named("c", settings))
    assert len(list(kept.iterdir())) == 2
    assert not (tmp_path / "data" / "knowledge").exists(), "the desk's own are not touched"


def test_what_is_no_set_is_named(folder: Path) -> None:
    with pytest.raises(SettingsError, match="notes"):
        sets_in(folder / "notes")
    with pytest.raises(SourceMissing):
        QuestionSet.load(folder / "nowhere.jsonl", folder / "first" / "questions.jsonl")
    questions = folder / "notes" / "asked.jsonl"
    questions.write_text('{"id": "1", "question": "banana bread", "answerable": false}\n')
    assert load_questions(questions)
    with pytest.raises(SettingsError, match="names a relevant document"):
        QuestionSet.load(folder / "first" / "corpus.jsonl", questions).with_relevant()


@pytest.fixture
def surroundings(own_data_folder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval_command, "open_embedder", lambda settings: HashEmbedder())


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_the_command_prints_and_writes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "figures.json"
    assert command.main(["retrieval", "--sets", str(folder), "--json", str(written)]) == 0
    assert "mean of the sets" in capsys.readouterr().out
    saved = json.loads(written.read_text("utf-8"))
    assert (saved["n"], saved["recall_at_1"], saved["embedder"]) == (4, 1.0, "hash-64")
    assert saved["by_set"].keys() == {"first", "second"}
    assert saved["latency_ms"].keys() == {"p50", "p95", "p99"}


@pytest.fixture
def in_two_languages(tmp_path: Path) -> QuestionSet:
    texts = {"en-1": "refund R7", "zh-1": "退款 R7", "en-2": "battery B2"}
    corpus, questions = tmp_path / "corpus.jsonl", tmp_path / "questions.jsonl"
    rows = [{"id": key, "title": "", "text": text} for key, text in texts.items()]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    crossed = {"cross_lingual_relevant": ["zh-1"]}
    asked = [
        {"id": "1", "question": "refund R7", "lang": "en", "relevant": ["en-1"], "meta": crossed},
        {"id": "2", "question": "battery B2", "lang": "en", "relevant": ["en-2"]},
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in asked))
    return QuestionSet.load(corpus, questions)


@pytest.mark.slow
def test_an_answer_in_the_other_language_is_looked_for_without_the_own(
    in_two_languages: QuestionSet, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    (crossed,) = run(in_two_languages.for_other_language(), settings, HashEmbedder(), Run.named("a", settings))
    assert crossed.relevant == ("zh-1",)
    assert set(crossed.documents) == {"zh-1", "en-2"}
    usual = run(in_two_languages, settings, HashEmbedder(), Run.named("b", settings))
    assert usual[0].documents[0] == "en-1"
    with pytest.raises(SettingsError):
        run(in_two_languages, settings, HashEmbedder(), Run.named("a", settings))


@pytest.mark.usefixtures("surroundings")
def test_a_set_in_one_language_cannot_be_crossed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--corpus", str(folder / "first" / "corpus.jsonl"), "--other-language"]
    assert retrieval_command.main([*arguments, "--questions", str(folder / "first" / "questions.jsonl")]) == 2
    assert "cross_lingual_relevant" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_a_limit_draws_by_the_seed(folder: Path, tmp_path: Path) -> None:
    arguments = ["--corpus", str(folder / "first" / "corpus.jsonl"), "--limit", "1", "--seed", "3"]
    arguments += ["--questions", str(folder / "first" / "questions.jsonl"), "--json", str(tmp_path / "figures.json")]
    assert retrieval_command.main(arguments) == 0
    assert json.loads((tmp_path / "figures.json").read_text("utf-8"))["n"] == 1


@pytest.mark.usefixtures("surroundings")
def test_pairs_that_do_not_match_are_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["retrieval", "--corpus", str(folder / "first" / "corpus.jsonl")]) == 2
    assert "1 and 0" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_a_run_that_was_cut_off_goes_on(folder: Path, tmp_path: Path) -> None:
    arguments = ["--corpus", str(folder / "first" / "corpus.jsonl"), "--run", "monday"]
    arguments += ["--questions", str(folder / "first" / "questions.jsonl")]
    assert retrieval_command.main(arguments) == 0
    records = tmp_path / "data" / "runs" / "monday" / "records.jsonl"
    first, second = records.read_text("utf-8").splitlines(keepends=True)
    changed = first.replace('["d1"', '["kept from before"', 1)
    assert changed != first
    records.write_text(changed + second[:20], encoding="utf-8")
    assert retrieval_command.main(arguments) == 0
    assert records.read_text("utf-8").startswith(changed), "what was asked is not asked again"
    assert len(records.read_text("utf-8").splitlines()) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_a_name_is_not_reused_for_other_questions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--corpus", str(folder / "first" / "corpus.jsonl"), "--run", "monday"]
    arguments += ["--questions", str(folder / "first" / "questions.jsonl")]
    assert retrieval_command.main(arguments) == 0
    assert retrieval_command.main([*arguments, "--limit", "1"]) == 2
    assert "questions" in capsys.readouterr().err
    assert retrieval_command.main([*arguments, "--kb", "shop"]) == 2
    assert "not both" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_a_run_is_not_resumed_with_other_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--corpus", str(folder / "first" / "corpus.jsonl"), "--run", "monday"]
    arguments += ["--questions", str(folder / "first" / "questions.jsonl")]
    assert retrieval_command.main(arguments) == 0
    monkeypatch.setenv("ANSWERDESK_CANDIDATES", "5")
    load_settings.cache_clear()
    assert retrieval_command.main(arguments) == 2
    assert "(candidates)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
def test_questions_whose_documents_are_not_there_are_counted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = tmp_path / "asked.jsonl"
    rows = [{"id": key, "question": "refund", "relevant": [key]} for key in ("d2", "no/such.md")]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    arguments = ["--corpus", str(folder / "first" / "corpus.jsonl"), "--questions", str(questions), "--run", "monday"]
    assert retrieval_command.main(arguments) == 0
    assert "1 of 2 questions name only documents that are not in the knowledge base" in capsys.readouterr().out
    assert json.loads((tmp_path / "data" / "runs" / "monday" / "figures.json").read_text("utf-8"))["unknown"] == 1


@pytest.mark.usefixtures("surroundings")
def test_figures_that_cannot_be_written_are_told_before_anything_is_asked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--corpus", str(folder / "first" / "corpus.jsonl"), "--run", "monday"]
    arguments += ["--questions", str(folder / "first" / "questions.jsonl")]
    for place in (tmp_path / "nowhere" / "x.json", tmp_path):
        assert retrieval_command.main([*arguments, "--json", str(place)]) == 2
        assert str(place) in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("surroundings")
def test_a_knowledge_base_that_is_not_there_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--kb", "shop", "--questions", str(folder / "first" / "questions.jsonl")]
    assert retrieval_command.main(arguments) == 3
    assert capsys.readouterr().err.count("\n") == 1
