"""The knowledge bases of the program, as its pages share them: opened once, with their jobs and the way to ingest."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ingest.job import IngestJob, JobProcess
from ingest.summary import IngestSummary
from rag.errors import AnswerdeskError, UploadsUsedUp
from rag.people.audit import AuditTrail
from rag.schema import Chunk, Document
from rag.settings import Settings
from rag.storage.access import LOCAL_USER, User
from rag.storage.document_uses import DocumentUses
from rag.storage.store import DocumentRow, GenerationInfo, KnowledgeStore
from rag.turns import AnswerPipeline, Quota
from ui.services.document_usage import UseCounts
from ui.services.jobs import JobControl, Jobs

if TYPE_CHECKING:
    from rag.pipeline import Pipeline  # brings the indexes' libraries, which the first page does without

_WAIT_FOR_TOKENIZER_SECONDS = 0.2
_DAY_SECONDS = 24 * 3600.0
_BYTES_A_MEGABYTE = 1_000_000

RunIngest = Callable[[Settings, IngestJob, JobControl], IngestSummary]
PipelineOf = Callable[[str, User], AnswerPipeline]
Recorded = Literal["published", "rolled_back", "confirmed"]
Record = Callable[[User, Recorded, str, dict[str, int]], None]
"""Takes down what somebody did to which knowledge base, with a few numbers."""


@dataclass(frozen=True, slots=True)
class Source:
    """A folder that articles came from.  ``name`` is its last part; ``here`` tells whether it can be read again."""

    root: str
    name: str
    articles: int
    here: bool
    uploads: bool


@dataclass(frozen=True, slots=True)
class OpenedArticle:
    """An article with its passages.  ``tokens`` are theirs, None while the tokenizer is being loaded."""

    document: Document
    root: str
    passages: tuple[Chunk, ...]
    tokens: tuple[int, ...] | None
    generation: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found, and of what: the waiting files as they were, the folders, and the generation that served."""

    summary: IngestSummary
    files: tuple[tuple[str, int], ...]
    roots: tuple[str, ...]
    prune: bool


@dataclass(frozen=True, slots=True)
class History:
    """Every generation, the newest first; those from ``oldest_restorable`` on can serve again."""

    generations: tuple[GenerationInfo, ...] = ()
    oldest_restorable: int = 0


def recorder(audit: AuditTrail) -> Record:
    """Return what takes changes down in the audit trail."""

    def record(user: User, what: Recorded, name: str, figures: dict[str, int]) -> None:
        audit.record(user.name, what, name, **figures)

    return record


def run_in_process(settings: Settings, job: IngestJob, control: JobControl) -> IngestSummary:
    """Ingest in a process of its own."""
    with JobProcess(settings) as process:
        control.when_stopped(process.stop)
        return process.ingest(job, lambda progress: control.tell(progress, progress.failure))


class KnowledgeRegistry:
    """All knowledge bases of the program; pages get a ``KnowledgeDesk`` over one, and never this."""

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        pipeline: PipelineOf,
        *,
        run: RunIngest = run_in_process,
        record: Record = lambda *_: None,
    ) -> None:
        self.settings = settings
        self.jobs = jobs
        self.pipeline = pipeline
        self.run = run
        self.record = record
        self.uses = UseCounts(DocumentUses(settings.turns_path).counts)
        megabytes = settings.person_upload_megabytes_a_day
        self._uploaded = Quota(
            [settings.person_upload_files_a_day, megabytes * _BYTES_A_MEGABYTE], seconds=_DAY_SECONDS
        )
        self._lock = threading.Lock()
        self._stores: dict[str, KnowledgeStore] = {}
        self._articles: dict[str, tuple[int, tuple[DocumentRow, ...]]] = {}
        self._counting: dict[str, Future[Callable[[str], int]]] = {}
        self._tokenizers = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")

    def require_upload_quota(self, user: User, sizes: Sequence[int]) -> None:
        """Count files of these ``sizes`` in bytes as uploaded.  Raises ``UploadsUsedUp`` where those are too many.

        Whoever works where nobody signs in has the whole disk anyway.
        """
        if user != LOCAL_USER and self._uploaded.spend(user.name, [len(sizes), sum(sizes)]) > 0:
            raise UploadsUsedUp(
                files=self.settings.person_upload_files_a_day, megabytes=self.settings.person_upload_megabytes_a_day
            )

    def store(self, name: str) -> KnowledgeStore:
        """Return a knowledge base's documents, for reading."""
        with self._lock:
            folder = self.settings.changed(knowledge_base=name).knowledge_dir
            return self._stores.setdefault(name, KnowledgeStore(folder))

    def articles(self, name: str) -> tuple[DocumentRow, ...]:
        """Return the articles of the current generation; none where there is none."""
        store = self.store(name)
        generation = store.current_generation()
        with self._lock:
            known = self._articles.get(name)
        if known is None or known[0] != generation:
            known = generation, tuple(store.documents(generation)) if generation else ()
            with self._lock:
                self._articles[name] = known
        return known[1]

    def count_tokens(self, name: str, user: User) -> Callable[[str], int] | None:
        """Return the embedder's count; None until it is loaded, or where it cannot be."""
        with self._lock:
            counting = self._counting.get(name)
            if counting is None or (counting.done() and counting.exception() is not None):
                counting = self._counting[name] = self._tokenizers.submit(self._counter, name, user)
        try:
            return counting.result(timeout=_WAIT_FOR_TOKENIZER_SECONDS)
        except (NotYetError, AnswerdeskError):
            return None

    def close(self) -> None:
        """Stop what runs."""
        self.jobs.close()
        self.uses.close()
        self._tokenizers.shutdown(wait=False, cancel_futures=True)

    def _counter(self, name: str, user: User) -> Callable[[str], int]:
        return real_pipeline(self.pipeline(name, user)).parts.count_tokens


def real_pipeline(pipeline: AnswerPipeline) -> "Pipeline":
    """Return a pipeline as the one that can be looked into.  Raises ``TypeError`` for another."""
    from rag.pipeline import Pipeline

    if not isinstance(pipeline, Pipeline):
        raise TypeError(f"only a Pipeline can be looked into, not {type(pipeline).__name__}")
    return pipeline
