"""What leads may do with a knowledge base's quality, what agents may not, and what is taken down."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.services.jobs import JobControl, Jobs
from api.services.quality import QualityRegistry, QualityService
from eval import background_process
from eval.background import Evaluation
from eval.core import knowledge
from eval.core.runs import Run
from eval.gaps.report import GapReport
from rag.errors import AccessDenied, CuratedMissing, CuratedReplaced, IngestRunning, NotPermitted, SettingsError
from rag.people.audit import AuditTrail
from rag.pipeline import Pipeline
from rag.reuse.curated import Curation, Place
from rag.settings import Settings
from rag.storage.access import KnowledgeBases, User
from rag.storage.curated import CuratedAnswers
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.turn_store import OutcomeOrigin, TurnStore
from rag.testing import HashEmbedder, offline_parts
from rag.turns import PersonalCorrections
from tests.eval.gaps.turns import AskedTurns

pytestmark = pytest.mark.slow

LEAD, AGENT = User("bo", "lead"), User("lin", "agent")


class Surroundings:
    """A published knowledge base of two questions; evaluations run in the job's own thread."""

    def __init__(self, folder: Path) -> None:
        parts = offline_parts(folder)
        self.settings = parts.settings
        questions = RegressionQuestions(parts.store)
        for text, document in (("How much citric acid?", "kettle.md"), ("信用卡退款多久到账？", "refund.md")):
            language = "en" if text.isascii() else "zh"
            questions.add(RegressionQuestion(text, language, (document,), origin="correction"))
        self.curation = Curation(parts.store, CuratedAnswers(parts.store.folder), review=True)
        self.audit = AuditTrail(self.settings.people_path)
        self.turns = TurnStore(self.settings.turns_path)
        self.jobs = Jobs()
        self.user = LEAD
        self.bases = KnowledgeBases(self.settings.knowledge_folder)
        pipeline = Pipeline(parts)
        self.registry = QualityRegistry(
            self.settings,
            self.jobs,
            lambda name, user: pipeline,
            HashEmbedder,
            lambda name: self.curation,
            self.turns.feedback,
            lambda who: PersonalCorrections(lambda name: self.curation, self.bases, who, self.audit),
            self._run,
        )

    def desk(self, name: str = "default") -> QualityService:
        return QualityService(self.registry, name, lambda: self.user, self._require)

    def _require(self, user: User, name: str) -> None:
        if user.scopes is not None and name not in user.scopes:
            raise AccessDenied(name=name)

    def _run(self, settings: Settings, evaluation: Evaluation, control: JobControl) -> None:
        background_process.measure(evaluation, settings, lambda done, total: control.tell((done, total)))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    def embedder(settings: Settings) -> HashEmbedder:
        return HashEmbedder()

    monkeypatch.setattr(knowledge, "open_embedder", embedder)
    monkeypatch.setattr(background_process, "open_embedder", embedder)
    made = Surroundings(tmp_path)
    yield made
    made.jobs.close()


CALLS: dict[str, Callable[[QualityService], object]] = {
    "runs": lambda desk: desk.runs(),
    "expected_refusals": lambda desk: desk.expected_refusals(),
    "questions": lambda desk: desk.questions("retrieval"),
    "start": lambda desk: desk.start("retrieval", 0),
    "evaluation": lambda desk: desk.evaluation(),
    "resume_command": lambda desk: desk.resume_command("a"),
    "stop": lambda desk: desk.stop(),
    "compare": lambda desk: desk.compare("a", "b"),
    "side_by_side": lambda desk: desk.side_by_side("a", "b"),
    "corrections": lambda desk: desk.corrections(),
    "history": lambda desk: desk.history(1),
    "doubtful_sentences": lambda desk: desk.doubtful_sentences("x"),
    "successor": lambda desk: desk.successor(1),
    "accept": lambda desk: desk.accept(1),
    "reject": lambda desk: desk.reject(1),
    "edit": lambda desk: desk.edit(1, "a", "b", "en"),
    "find_gaps": lambda desk: desk.find_gaps(7),
    "gaps": lambda desk: desk.gaps(),
    "outcomes": lambda desk: desk.outcomes("topic", 7),
}


def test_every_call_is_tried_below() -> None:
    public = {name for name in vars(QualityService) if not name.startswith("_")}
    assert public - {"plots"} == set(CALLS)  # plots needs a run, of which runs() tells


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_agents_and_those_out_of_scope_may_call_nothing(
    here: Surroundings, call: Callable[[QualityService], object]
) -> None:
    number = here.curation.write("How long?", "Two years.", author="lin").number
    here.user = AGENT
    with pytest.raises(NotPermitted):
        call(here.desk())
    here.user = User("mei", "admin", frozenset({"payroll"}))
    with pytest.raises(AccessDenied):
        call(here.desk())
    assert [one.number for one in here.curation.all("waiting")] == [number]
    assert here.audit.entries() == ()
    assert here.jobs.latest("evaluation default") is None


def test_an_evaluation_is_begun_watched_and_listed(here: Surroundings) -> None:
    desk = here.desk()
    assert (desk.questions("retrieval"), desk.questions("answers")) == (2, 0)
    desk.start("retrieval", 0)
    job = here.jobs.wait("evaluation default", 60)
    assert job is not None
    assert (job.state, job.progress, job.who) == ("done", (2, 2), "bo")
    (run,) = desk.runs()
    assert (run.name, run.kind, run.n, run.finished, run.generation) == (job.result, "retrieval", 2, True, 1)
    assert "<svg" in desk.plots(run, "en")


def test_an_unfinished_run_is_listed_with_how_far_it_is_and_what_resumes_it(here: Surroundings) -> None:
    here.desk().start("retrieval", 0)
    here.jobs.wait("evaluation default", 60)
    (run,) = here.desk().runs()
    folder = Run.named(run.name, here.settings).folder
    (folder / "figures.json").unlink()
    records = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "records.jsonl").write_text(records[0] + records[1][:9], encoding="utf-8")
    (run,) = here.desk().runs()
    assert (run.finished, run.n, run.asked, run.question_set) == (False, 2, 1, "default")
    command = here.desk().resume_command(run.name)
    assert command == f"python -m eval retrieval --kb default --limit 2 --run {run.name}"


def test_a_second_one_has_to_wait(here: Surroundings) -> None:
    gate = threading.Event()
    here.jobs.start("evaluation default", "refusal", lambda control: gate.wait(60))
    with pytest.raises(IngestRunning):
        here.desk().start("retrieval", 0)
    gate.set()
    assert here.desk().runs() == []


def test_another_bases_runs_are_neither_listed_nor_opened(here: Surroundings) -> None:
    for name, base in (("mine", "default"), ("theirs", "payroll")):
        run = Run.named(name, here.settings)
        run.begin({"command": "retrieval", "knowledge": base}, ())
        run.save_figures({"n": 1, "recall_at_1": 1.0})
    (here.settings.data_dir / "runs" / "broken").mkdir()
    (here.settings.data_dir / "runs" / "broken" / "run.json").write_text("{")
    assert [run.name for run in here.desk().runs()] == ["mine"]
    with pytest.raises(SettingsError):
        here.desk().compare("mine", "theirs")
    with pytest.raises(SettingsError):
        here.desk().side_by_side("../runs/theirs", "mine")


def test_a_correction_is_accepted_edited_and_rejected_and_each_is_taken_down(here: Surroundings) -> None:
    desk = here.desk()
    first = here.curation.write("How long?", "Two years.", author="lin", sources=[Place("kettle.md")]).number
    second = here.curation.write("How wide?", "Ten feet.", author="lin").number
    desk.accept(first)
    assert [one.number for one in desk.corrections("serving")] == [first]
    edited = desk.edit(first, "How long is it?", "Three years.", "zh")
    assert (edited.state, edited.kept.language, edited.kept.author) == ("serving", "zh", "bo")
    assert [one.document_id for one in edited.kept.sources] == ["kettle.md"]
    desk.reject(second, " not ours ")
    assert {one.number for one in desk.corrections("retired")} == {first, second}
    assert [(event.what, event.person, event.note) for event in desk.history(second)][-1] == (
        "retired",
        "bo",
        "not ours",
    )
    assert [(one.who, one.what, one.about, dict(one.details)) for one in reversed(here.audit.entries())] == [
        ("bo", "correction", "default", {"number": first, "state": "serving"}),
        ("bo", "correction", "default", {"number": edited.number, "state": "serving"}),
        ("bo", "correction", "default", {"number": first, "state": "retired"}),
        ("bo", "correction", "default", {"number": second, "state": "retired"}),
    ]


@pytest.mark.parametrize("first_question", ["How long?", "How long is it?"])
@pytest.mark.parametrize("state", ["serving", "waiting"])
def test_whoever_comes_second_with_the_same_answer_is_told_and_replaces_nothing(
    here: Surroundings, first_question: str, state: str
) -> None:
    first_desk, second_desk = here.desk(), here.desk()
    number = here.curation.write("How long?", "Two years.", author="lin", reviewed=state == "serving").number
    edited = first_desk.edit(number, first_question, "Three years.", "en")
    for late in (
        lambda: second_desk.edit(number, "How long?", "Four years.", "en"),
        lambda: second_desk.accept(number, brings_back=False),
    ):
        with pytest.raises(CuratedReplaced, match=rf"no\. {edited.number} serves instead"):
            late()
    assert [one.kept.answer for one in second_desk.corrections("serving")] == ["Three years."]
    again = second_desk.edit(edited.number, first_question, "Four years.", "en")
    assert second_desk.successor(number) == again
    second_desk.accept(number)
    assert second_desk.successor(number) is None


def test_an_answer_that_was_rejected_can_be_changed_though_another_serves(here: Surroundings) -> None:
    here.curation.write("How long?", "Two years.", author="lin", reviewed=True)
    rejected = here.curation.write("How long?", "Ten years.", author="lin").number
    here.desk().reject(rejected, "no")
    assert here.desk().edit(rejected, "How long?", "Three years.", "en").state == "serving"


def test_a_correction_that_is_gone_is_told(here: Surroundings) -> None:
    for call in (CALLS["accept"], CALLS["reject"], CALLS["edit"], CALLS["successor"]):
        with pytest.raises(CuratedMissing):
            call(here.desk())
    assert here.audit.entries() == ()


def test_gaps_are_looked_for_in_the_background(here: Surroundings) -> None:
    AskedTurns(here.settings.turns_path).refused("Do you sell gift cards?")
    here.desk().find_gaps(30)
    job = here.jobs.wait("gaps default", 60)
    assert job is not None
    assert isinstance(job.result, GapReport)
    assert [topic.count for topic in job.result.topics] == [1]


def test_teams_are_in_the_order_of_their_names(here: Surroundings) -> None:
    asked = AskedTurns(here.settings.turns_path)
    for team, times in (("sales", 3), ("returns", 1)):
        for number in range(times):
            turn = asked.answered(f"Question {number}?")
            here.turns.feedback.record(turn.turn_id, "copied", 0.0, OutcomeOrigin("model", "en", team))
    found = here.desk().outcomes("agent_group", 7)
    assert [(one.name, one.copied) for one in found] == [("returns", 1), ("sales", 3)]
