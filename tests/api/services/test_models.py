"""What admins may do with the models, what nobody else may, and what is taken down."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.services.guarded import recorder
from api.services.jobs import Job, Jobs
from api.services.models import Calibrations, ModelRegistry, ModelService, Outcome, Step
from eval.calibrate_model.background import CalibrationProgress
from rag.errors import AccessDenied, IngestRunning, ModelMissing, ModelUnfit, NotPermitted, SettingsError
from rag.ollama.hardware import Machine
from rag.people.audit import AuditTrail
from rag.queue.admission import Admission
from rag.settings import KEPT_NAME, Settings, stored_choices
from rag.storage.access import User
from tests.support.gguf_files import QWEN, write_gguf
from tests.ui.views.models.fake_calibration import FakeCalibration
from tests.ui.views.models.fake_server import R1, STAND_IN, WHOLE, FakeModelServer
from ui.views.models.jobs import failure_words

ADMIN, LEAD = User("root", "admin"), User("bo", "lead")
LAPTOP = Machine(cores=4, memory_bytes=16_000_000_000, gpu_bytes=0)


class Surroundings:
    """A desk over a fake model server."""

    def __init__(self, folder: Path, server: FakeModelServer) -> None:
        self.server = server
        self.settings = Settings(data_dir=folder, cache_dir=folder, ollama_host=server.url, model=STAND_IN)
        self.audit = AuditTrail(self.settings.people_path)
        self.jobs = Jobs()
        self.admission = Admission(2, 8)
        self.user = ADMIN
        self.closed: set[str] = set()
        self.fake = FakeCalibration()
        self.registry = ModelRegistry(
            self.settings,
            self.jobs,
            record=recorder(self.audit),
            admission=self.admission,
            machine=lambda: LAPTOP,
            calibrations=Calibrations(self.settings, self.fake.process),
        )
        self.registry.look_again()
        self.desk = ModelService(self.registry, "default", lambda: self.user, self._require)

    def _require(self, user: User, name: str) -> None:
        if name in self.closed:
            raise AccessDenied(name=name)

    def ended(self, job: Job) -> Job:
        """Wait for the end of a job."""
        slots = {"making": ("pull", "import", "quantize"), "calibrating": ("calibrate", "choose")}
        slot = next((f"models {slot}" for slot, kinds in slots.items() if job.kind in kinds), "models serving")
        found = self.jobs.wait(slot, 60)
        assert found is not None
        assert not found.running
        return found

    def until_at(self, now: Callable[[], Job | None], name: str, *, counted: bool = False) -> Step:
        """Wait until a job is at a step; ``counted``: and until its bytes are told."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            job = now()
            step = job.progress if job is not None else None
            if isinstance(step, Step) and step.name == name and (step.total_bytes or not counted):
                return step
            self.server.released.wait(0.01)
        raise AssertionError(f"never at {name}")

    def record(self) -> list[tuple[str, str, dict[str, object]]]:
        return [(entry.what, entry.about, dict(entry.details)) for entry in reversed(self.audit.entries())]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Surroundings]:
    with FakeModelServer() as server:
        made = Surroundings(tmp_path, server)
        yield made
        server.gate.set()
        made.jobs.close()


CALLS: dict[str, Callable[[ModelService], object]] = {
    "listing": lambda desk: desk.listing(),
    "settings": lambda desk: desk.settings(),
    "advice": lambda desk: desk.advice(R1, 1, 2048),
    "next_model": lambda desk: desk.next_model(),
    "pull": lambda desk: desk.pull("x"),
    "import_files": lambda desk: desk.import_files("/x", "x", "", ""),
    "quantize": lambda desk: desk.quantize(WHOLE, "q8_0"),
    "making": lambda desk: desk.making(),
    "stop_making": lambda desk: desk.stop_making(),
    "load": lambda desk: desk.load(R1),
    "unload": lambda desk: desk.unload(R1),
    "delete": lambda desk: desk.delete(R1, R1),
    "use": lambda desk: desk.use(R1),
    "serving": lambda desk: desk.serving(),
    "stop_serving": lambda desk: desk.stop_serving(),
    "job": lambda desk: desk.job(1),
    "stop_job": lambda desk: desk.stop_job(1),
    "questions": lambda desk: desk.questions(),
    "calibrations": lambda desk: desk.calibrations(),
    "tunings": lambda desk: desk.tunings(),
    "calibrate": lambda desk: desk.calibrate(R1, (1,), (4096,), limit=0, minutes=1),
    "choose_winner": lambda desk: desk.choose_winner("monday"),
    "calibrating": lambda desk: desk.calibrating(),
    "stop_calibrating": lambda desk: desk.stop_calibrating(),
    "profile": lambda desk: desk.profile(),
    "choose_profile": lambda desk: desk.choose_profile("code"),
    "profiles": lambda desk: desk.profiles(),
}


def test_every_call_is_tried_below() -> None:
    assert {name for name in vars(ModelService) if not name.startswith("_")} == set(CALLS)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_whoever_is_no_admin_may_call_nothing(here: Surroundings, call: Callable[[ModelService], object]) -> None:
    here.user = LEAD
    asked = len(here.server.requests)
    with pytest.raises(NotPermitted):
        call(here.desk)
    assert len(here.server.requests) == asked
    assert here.record() == []
    assert not (here.settings.data_dir / KEPT_NAME).exists()


def test_the_listing_tells_what_is_installed_loaded_and_answers(here: Surroundings) -> None:
    listing = here.desk.listing()
    rows = {row.name: row for row in listing.rows}
    assert set(rows) == {R1, WHOLE, STAND_IN}
    assert (rows[STAND_IN].chosen, rows[STAND_IN].stand_in, rows[STAND_IN].memory_bytes) == (True, True, 493_000_000)
    assert rows[STAND_IN].loaded_until
    assert (rows[WHOLE].quantization, rows[WHOLE].memory_bytes) == ("F16", 0)
    assert listing.loaded == (STAND_IN,)
    assert not listing.managed


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with FakeModelServer() as server:
        made = Surroundings(tmp_path, server)
    made.registry.look_again()
    failure = made.desk.listing().failure
    assert failure is not None
    assert failure.kind == "OllamaUnavailable"
    assert made.desk.advice(R1, 1, 2048) is None


def test_advice_is_about_the_slots_and_tokens_that_are_asked_about(here: Surroundings) -> None:
    one, four = here.desk.advice(R1, 1, 2048), here.desk.advice(R1, 4, 2048)
    assert one is not None
    assert four is not None
    # 2 x 2 layers x 2 heads x 64 numbers x 2,048 tokens x 2 bytes, for each slot
    assert four.memory.kv_bytes == 4 * one.memory.kv_bytes == 4 * 2_097_152
    assert one.slots == 4  # as many as the laptop has cores


@pytest.mark.slow
def test_a_model_is_downloaded_with_its_bytes_told_and_taken_down(here: Surroundings) -> None:
    here.server.gate.clear()
    job = here.desk.pull(" new:1b ")
    step = here.until_at(here.desk.making, "downloading", counted=True)
    assert (step.what, step.done_bytes, step.total_bytes) == ("new:1b", 2_100_000_000, 4_200_000_000)
    with pytest.raises(IngestRunning):
        here.desk.quantize(WHOLE, "q8_0")
    with pytest.raises(IngestRunning):
        here.desk.delete(WHOLE, WHOLE)  # something may be being made of it
    here.server.gate.set()
    assert here.ended(job).result == Outcome("new:1b", 4_200_000_000, "Q4_K_M")
    assert here.desk.listing().row("new:1b") is not None
    assert here.record() == [("model", "new:1b", {"action": "pulled", "bytes": 4_200_000_000})]


@pytest.mark.slow
def test_a_download_that_is_stopped_ends_and_nothing_is_taken_down(here: Surroundings) -> None:
    here.server.gate.clear()
    job = here.desk.pull("new:1b")
    here.until_at(here.desk.making, "downloading")
    here.desk.stop_making()
    assert here.ended(job).state == "stopped"
    assert here.record() == []


@pytest.mark.parametrize(
    ("said", "english", "chinese"),
    [
        ("pull model manifest: file does not exist", "the server does not have it", "服务器上没有该文件"),
        ("something in the registry's own words", "the server refused", "服务器拒绝了请求"),
    ],
)
def test_why_a_download_failed_is_said_without_commands_and_foreign_words(
    here: Surroundings, said: str, english: str, chinese: str
) -> None:
    here.server.broken = said
    job = here.ended(here.desk.pull("new:1b"))
    assert job.failure is not None
    assert english in failure_words(job.failure, "en")
    assert chinese in failure_words(job.failure, "zh")
    assert "python" not in job.failure.en + job.failure.zh
    assert said not in job.failure.zh


@pytest.mark.slow
def test_a_file_on_the_server_becomes_a_model(here: Surroundings, tmp_path: Path) -> None:
    weights = write_gguf(tmp_path / "w.gguf")
    job = here.ended(here.desk.import_files(str(weights), "mine:1b", "q8_0", ""))
    assert job.result == Outcome("mine:1b", 4_200_000_000, "Q8_0")
    (body,) = here.server.asked("/api/create")
    assert (body["model"], body["quantize"]) == ("mine:1b", "q8_0")
    assert here.record()[0][2]["action"] == "imported"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "name", "template", "reason"),
    [
        ("/absent.gguf", "x", "", "cannot be read"),
        ("w.gguf", "x", "", "enter the absolute path"),
        ("", "x", "", "enter the absolute path"),
        ("{folder}/w.gguf", "no name", "chatml", "not a valid model name"),
        ("{folder}/w.gguf", R1, "chatml", "is already installed; choose another name"),
        ("{folder}/w.gguf", "x", "", "choose its chat format"),
        ("{folder}/w.gguf", "x", "poetry", "choose its chat format"),
        ("{folder}/text.gguf", "x", "", "not a GGUF file"),
        ("{folder}", "x", "", "holds no config.json"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_words(
    here: Surroundings, tmp_path: Path, path: str, name: str, template: str, reason: str
) -> None:
    write_gguf(tmp_path / "w.gguf", {key: value for key, value in QWEN.items() if not key.startswith("tokenizer")})
    (tmp_path / "text.gguf").write_text("no weights")
    try:
        failure = here.ended(here.desk.import_files(path.format(folder=tmp_path), name, "", template)).failure
        assert failure is not None
        said = failure.en
    except ModelUnfit as error:
        said = error.text("en")
    assert reason in said
    assert not here.server.asked("/api/create")
    assert here.record() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        (R1, "q8_0", "already quantized (Q4_K_M)"),
        (WHOLE, "q5_K_M", "cannot be quantized to q5_K_M"),
        (WHOLE, "", "cannot be quantized"),
    ],
)
def test_what_cannot_be_quantized_says_why(here: Surroundings, name: str, kind: str, reason: str) -> None:
    failure = here.ended(here.desk.quantize(name, kind)).failure
    assert failure is not None
    assert reason in failure_words(failure, "en")
    assert here.record() == []


@pytest.mark.slow
def test_a_quantized_model_is_named_after_its_source(here: Surroundings) -> None:
    job = here.ended(here.desk.quantize(WHOLE, "q4_K_M"))
    assert job.result == Outcome("deepseek-r1:7b-q4_K_M", 4_200_000_000, "Q4_K_M")
    assert here.record()[0][2] == {"action": "quantized", "bytes": 4_200_000_000, "source": WHOLE}


@pytest.mark.slow
def test_loading_another_model_waits_for_the_answers_that_it_would_cut_off(here: Surroundings) -> None:
    with here.admission.ticket():
        job = here.desk.load(R1)
        assert here.until_at(here.desk.serving, "waiting").answers == 1
        assert not here.server.asked("/api/generate")
    assert here.ended(job).result == Outcome(R1)
    assert here.desk.listing().loaded == (R1,)
    assert here.server.asked("/api/generate")[0]["options"] == {"num_ctx": here.settings.context_tokens}
    assert here.record() == []  # nothing that outlives the next question


@pytest.mark.slow
def test_waiting_can_be_given_up_and_the_answers_go_on(here: Surroundings) -> None:
    with here.admission.ticket():
        job = here.desk.unload(STAND_IN)
        here.until_at(here.desk.serving, "waiting")
        here.desk.stop_serving()
        assert here.ended(job).state == "stopped"
    assert here.desk.listing().loaded == (STAND_IN,)
    assert here.admission.occupancy().running == 0
    assert here.ended(here.desk.unload(STAND_IN)).state == "done"
    assert here.desk.listing().loaded == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "kind"),
    [("model requires more system memory (9 GiB)", "ModelTooLarge"), ("the disk is made of cheese", "OllamaRefused")],
)
def test_a_model_that_cannot_be_loaded_says_why(here: Surroundings, said: str, kind: str) -> None:
    here.server.broken = said
    failure = here.ended(here.desk.load(STAND_IN)).failure
    assert failure is not None
    assert failure.kind == kind
    assert said not in failure_words(failure, "en") + failure_words(failure, "zh")


@pytest.mark.slow
def test_a_model_is_deleted_by_its_typed_name_alone(here: Surroundings) -> None:
    for typed in ("", "deepseek-r1", R1.upper()):
        with pytest.raises(ModelUnfit, match="type its name"):
            here.desk.delete(R1, typed)
    with pytest.raises(ModelMissing):
        here.desk.delete("absent", "absent")
    assert not here.server.asked("/api/delete")
    assert here.ended(here.desk.delete(R1, f" {R1} ")).state == "done"
    assert here.desk.listing().row(R1) is None
    assert here.record() == [("model", R1, {"action": "deleted", "bytes": 1_120_000_000})]


@pytest.mark.slow
def test_a_loaded_model_is_deleted_behind_its_answers(here: Surroundings) -> None:
    with here.admission.ticket():
        job = here.desk.delete(STAND_IN, STAND_IN)
        here.until_at(here.desk.serving, "waiting")
        assert here.server.models.count(STAND_IN) == 1
    assert here.ended(job).state == "done"
    assert STAND_IN not in here.server.models


@pytest.mark.slow
def test_a_choice_is_kept_for_the_next_start_and_taken_down(
    here: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWERDESK_MODEL", STAND_IN)
    job = here.ended(here.desk.use(R1))
    assert isinstance(job.result, Outcome)
    assert job.result.variables == ("ANSWERDESK_MODEL",)
    assert here.desk.next_model() == R1
    assert here.record()[0][2]["action"] == "chosen"
    here.server.details_of[WHOLE] = {"template": "{{ .Prompt }}"}
    failure = here.ended(here.desk.use(WHOLE)).failure
    assert failure is not None
    assert "choose its chat format" in failure.en
    assert here.desk.next_model() == R1


@pytest.mark.slow
def test_a_profile_is_kept_and_taken_down(here: Surroundings) -> None:
    assert (here.desk.profile().now, here.desk.profile().next_start) == ("support", "support")
    assert here.desk.choose_profile("code") == []
    assert (here.desk.profile().now, here.desk.profile().next_start) == ("support", "code")
    assert stored_choices(here.settings.data_dir) == {"profile": "code"}
    assert here.record() == [("setting", "profile", {"profile": "code"})]


@pytest.mark.slow
def test_a_calibration_is_ordered_followed_kept_and_its_winner_used(here: Surroundings) -> None:
    job = here.ended(here.desk.calibrate(STAND_IN, (1, 2), (4096,), limit=2, minutes=5))
    assert isinstance(job.result, str)
    assert job.progress == CalibrationProgress("as-is", 2, 4096, 2, 2, 2, 2)
    (run,) = here.desk.calibrations()
    assert (run.name, run.model) == (job.result, STAND_IN)
    assert run.findings is not None
    assert run.findings.best is not None
    chosen = here.ended(here.desk.choose_winner(run.name))
    assert chosen.result == []
    kept = {
        "model": STAND_IN, "thinking": "off", "parallel_slots": 1, "context_tokens": 4096,
        "flash_attention": True, "kv_cache_type": "f16", "batch_tokens": None, "model_threads": None,
    }  # fmt: skip
    assert stored_choices(here.settings.data_dir) == kept
    details = {"action": "chosen", "slots": 1, "context": 4096}
    assert here.record() == [("model", STAND_IN, details)]


def test_calibrations_of_a_knowledge_base_that_is_not_theirs_are_nobodys(here: Surroundings) -> None:
    here.closed = {"default"}
    for name in ("questions", "calibrations", "calibrate", "choose_winner"):
        with pytest.raises(AccessDenied):
            CALLS[name](here.desk)
    assert here.desk.listing().rows


@pytest.mark.slow
def test_a_calibration_that_is_stopped_has_no_figures(here: Surroundings) -> None:
    here.fake.gate.clear()
    job = here.desk.calibrate(STAND_IN, (1,), (4096,), limit=2, minutes=5)
    here.fake.begun.wait(60)
    here.desk.stop_calibrating()
    assert here.ended(job).state == "stopped"
    (run,) = here.desk.calibrations()
    assert run.findings is None
    with pytest.raises(SettingsError):
        here.desk.choose_winner(run.name)


@pytest.mark.parametrize(
    ("slots", "contexts", "minutes"), [((), (4096,), 5), ((1,), (), 5), ((1,), (4096,), 0), ((0,), (4096,), 5)]
)
def test_an_order_of_nothing_is_refused(
    here: Surroundings, slots: tuple[int, ...], contexts: tuple[int, ...], minutes: float
) -> None:
    with pytest.raises(SettingsError):
        here.desk.calibrate(R1, slots, contexts, limit=0, minutes=minutes)
    with pytest.raises(ModelMissing):
        here.desk.calibrate("absent", (1,), (4096,), limit=0, minutes=5)
    assert here.desk.calibrating() is None


def test_another_programs_runs_and_damaged_ones_are_left_out(here: Surroundings) -> None:
    runs = here.settings.data_dir / "runs"
    for name, text in {"torn": "{", "answers": '{"command": "answers", "knowledge": "default"}'}.items():
        (runs / name).mkdir(parents=True)
        (runs / name / "run.json").write_text(text, encoding="utf-8")
    (runs / "odd").mkdir()
    (runs / "odd" / "run.json").write_text('{"command": "calibrate model", "knowledge": "default"}', encoding="utf-8")
    (runs / "odd" / "figures.json").write_text('{"rows": 7}', encoding="utf-8")
    assert here.desk.calibrations() == []
