"""The sample knowledge base: ingested when there is none yet, and again when its files have changed.

Some of its questions with known answers come with it, as the knowledge base's own, and are asked once of this
machine's search: the Quality page has something to show on the first day, and nothing that was not measured.
"""

import hashlib
import sys
from pathlib import Path

from eval.core.question_sets import QuestionSet, draw_sample, stored_questions
from eval.core.runs import Run
from ingest.console import ProgressConsole
from ingest.gate import register_questions
from ingest.golden import GoldenQuestion, load_questions
from ingest.pipeline import IngestOptions, ingest
from rag.files import write_whole
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.storage.sharing import catch_up
from rag.storage.store import KnowledgeStore

SAMPLE_FOLDER = Path(__file__).resolve().parent.parent / "data" / "knowledge"
_QUESTIONS = "golden"  # the folder beside the sample's
_SOME_QUESTIONS = 60
"""So many are drawn: every later ingest asks those that it can twice (``ingest.gate``), and seconds are enough."""

_SEED = 0
_FEW_CANDIDATES = 5
"""What the run that is compared takes from each search instead of ``Settings.candidates``: the least there may be."""


def provide_sample(settings: Settings, console: Console, folder: Path = SAMPLE_FOLDER) -> Outcome:
    """Bring the sample into the knowledge base, unless somebody has filled that with documents of their own.

    Raises ``KnowledgeError`` or ``EmbedderMissing``.
    """
    what = console.words("sample")
    stamp = _stamp(settings, "sha256")
    catch_up(settings)  # what other desks have published is nobody's sample
    generation = KnowledgeStore(settings.knowledge_dir).current_generation()
    if generation and not stamp.is_file():
        return Outcome(what, "own_documents")
    state = _checksum(folder)
    if generation and stamp.read_text(encoding="utf-8") == state:
        return Outcome(what, "here")
    if generation:  # the gate of this ingest asks what this sample can answer, not what the one before could
        register_questions(_sample_questions(folder), settings)
    with ProgressConsole(console.language, sys.stderr) as progress:
        summary = ingest([folder], settings, open_embedder(settings), IngestOptions(prune=True), progress=progress)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(state, encoding="utf-8")
    return Outcome(what, "ingested", {"documents": summary.documents, "passages": summary.chunks})


def needs_first_runs(settings: Settings, folder: Path = SAMPLE_FOLDER) -> bool:
    """Tell whether this is the sample, with questions that were never asked."""
    sample, asked = _stamp(settings, "sha256"), _stamp(settings, "runs")
    if not sample.is_file() or not (folder.parent / _QUESTIONS).is_dir():
        return False
    return not asked.is_file() or asked.read_text(encoding="utf-8") != sample.read_text(encoding="utf-8")


def measure_first_runs(settings: Settings, console: Console, folder: Path = SAMPLE_FOLDER) -> Outcome:
    """Ask the sample's questions of this machine's search: as it is, with few candidates, and whether it refuses.

    No model is called.  What an interrupted start has asked is not asked again.  Raises ``SettingsError``, a
    ``KnowledgeError`` or ``EmbedderMissing``.
    """
    from eval.refusal.benchmark import measure_refusal  # bring the pipeline, which later starts do not need here
    from eval.retrieval.benchmark import measure_retrieval
    from rag.factory import build_parts

    golden = _sample_questions(folder)
    if not stored_questions(settings):
        register_questions(golden, settings)
    own = QuestionSet(settings.knowledge_base, None, stored_questions(settings)).with_relevant()
    embedder = open_embedder(settings)
    with KnowledgeStore(settings.knowledge_dir) as store:
        prefix = f"{settings.knowledge_base}-{store.require_generation()}-sample"
        few = settings.changed(candidates=_FEW_CANDIDATES)
        measure_retrieval([own], few, embedder, Run.named(f"{prefix}-{_FEW_CANDIDATES}-candidates", settings))
        measure_retrieval([own], settings, embedder, Run.named(f"{prefix}-search", settings))
        parts = build_parts(settings, store, embedder=embedder)
        measure_refusal(QuestionSet("sample", None, golden), parts, Run.named(f"{prefix}-refusal", settings))
    write_whole(_stamp(settings, "runs"), _stamp(settings, "sha256").read_text(encoding="utf-8"))
    return Outcome(console.words("first_runs"), "first_runs_done", {"found": len(own.questions), "judged": len(golden)})


def _stamp(settings: Settings, ending: str) -> Path:
    return settings.data_dir / "sample" / f"{settings.knowledge_base}.{ending}"


def _sample_questions(folder: Path) -> tuple[GoldenQuestion, ...]:
    """Return some of the questions of a sample, the same ones each time; none where it has none."""
    questions = folder.parent / _QUESTIONS
    return draw_sample(load_questions(questions), _SOME_QUESTIONS, _SEED) if questions.is_dir() else ()


def _checksum(folder: Path) -> str:
    """Return a sum over the names and contents of all files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
