"""What the Knowledge page calls: reading for everybody, checking for leads, publishing and going back for admins.

Internal articles are for colleagues only.  Every call checks rights again; long ones are jobs, whose progress the page
polls.  ``KnowledgeRegistry`` is shared by all pages: it opens each knowledge base once, and counts how often articles
are cited.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from api.services.guarded import GuardedService, Record
from api.services.jobs import Job, JobControl, Jobs, Work
from ingest.changes import Changes, changes_between
from ingest.job import IngestJob, JobProcess
from ingest.summary import IngestSummary
from ingest.uploads import Upload, Uploads
from rag.errors import (
    AnswerdeskError,
    DocumentMissing,
    IngestRunning,
    KnowledgeBaseMissing,
    NothingToIngest,
    UploadsUsedUp,
)
from rag.evidence.without_orders import text_without_orders
from rag.grounding.confirmation import confirmed_text
from rag.grounding.contact_details import details_named
from rag.schema import Chunk, Document, TextSpan
from rag.settings import Settings
from rag.storage.access import LOCAL_USER, User
from rag.storage.contact_details import ContactDetailTable, NewDetail
from rag.storage.figures import FigureFolder
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import DocumentRow, GenerationInfo, KnowledgeStore
from rag.storage.turn_store import DocumentUse, DocumentUses
from rag.turns import AnswerPipeline, Quota

if TYPE_CHECKING:
    from rag.pipeline import Pipeline  # brings the indexes' libraries, which the first page does without


logger = logging.getLogger(__name__)

WINDOW_DAYS = 90

Uses = Mapping[str, DocumentUse]
"""By the articles' ids; one that no answer cites is not there."""

_WAIT_FOR_TOKENIZER_SECONDS = 0.2
_DAY_SECONDS = 24 * 3600.0
_BYTES_A_MEGABYTE = 1_000_000


@dataclass(slots=True)
class _Count:
    counting: Future[Uses]
    begun_at: float
    before: Uses | None


class UseCounts:
    """Counts the last ``WINDOW_DAYS`` of each knowledge base, when a page asks and the last count is old.

    ``count`` takes a knowledge base's name and a time in UTC; a count serves for ``kept_seconds``, and no page waits
    longer than ``page_waits_seconds`` for one.  Safe from many threads.
    """

    def __init__(
        self,
        count: Callable[[str, datetime], Uses],
        *,
        kept_seconds: float = 10.0,
        page_waits_seconds: float = 0.3,
    ) -> None:
        self._count = count
        self._kept_seconds = kept_seconds
        self._page_waits_seconds = page_waits_seconds
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="uses")

    def __call__(self, name: str) -> Uses | None:
        """Return the newest count that is ready in time, else the one before; None: there is none yet."""
        with self._lock:
            last = self._counts.get(name)
            done = last is None or last.counting.done()
            if last is None or (done and time.monotonic() - last.begun_at >= self._kept_seconds):
                before = self._result(last) if last is not None else None
                last = _Count(self._worker.submit(self._count_uses, name), time.monotonic(), before)
                self._counts[name] = last
        return self._result(last)

    def close(self) -> None:
        """Begin no further count."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _count_uses(self, name: str) -> Uses:
        return self._count(name, datetime.now(UTC) - timedelta(days=WINDOW_DAYS))

    def _result(self, count: _Count) -> Uses | None:
        try:
            return count.counting.result(timeout=self._page_waits_seconds)
        except NotYetError:
            return count.before
        except AnswerdeskError as error:
            logger.warning("uses are not counted: %s", type(error).__name__)
            return count.before


RunIngest = Callable[[Settings, IngestJob, JobControl], IngestSummary]
PipelineOf = Callable[[str, User], AnswerPipeline]


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
    """An article with its passages.  ``tokens`` are theirs, None while the tokenizer is being loaded.

    ``unconfirmed`` are the places in its text of addresses, and of words to customers, that nobody has confirmed.
    """

    document: Document
    root: str
    passages: tuple[Chunk, ...]
    tokens: tuple[int, ...] | None
    generation: int
    unconfirmed: tuple[TextSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """``text`` is ``document.text[start:end]``, as published in ``generation``, with blanks for orders to a model.

    ``unconfirmed`` as of ``OpenedArticle``, those that touch it.
    """

    document: Document
    generation: int
    start: int
    end: int
    text: str
    unconfirmed: tuple[TextSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check's result and its inputs: the waiting files as they were, the folders, and the serving generation."""

    summary: IngestSummary
    files: tuple[tuple[str, int], ...]
    roots: tuple[str, ...]
    prune: bool


@dataclass(frozen=True, slots=True)
class History:
    """Every generation, the newest first; those from ``oldest_restorable`` on can serve again."""

    generations: tuple[GenerationInfo, ...] = ()
    oldest_restorable: int = 0


def run_in_process(settings: Settings, job: IngestJob, control: JobControl) -> IngestSummary:
    """Ingest in a process of its own."""
    with JobProcess(settings) as process:
        control.on_stop(process.stop)
        return process.ingest(job, lambda progress: control.tell(progress, progress.failure))


class KnowledgeRegistry:
    """All knowledge bases of the program; pages get a ``KnowledgeService`` over one, and never this."""

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
        self.uses = UseCounts(DocumentUses(settings.turns_database).counts)
        megabytes = settings.person_upload_megabytes_a_day
        self._uploaded = Quota(
            [settings.person_upload_files_a_day, megabytes * _BYTES_A_MEGABYTE], seconds=_DAY_SECONDS
        )
        self._lock = threading.Lock()
        self._stores: dict[str, KnowledgeStore] = {}
        self._articles: dict[str, tuple[int, tuple[DocumentRow, ...]]] = {}
        self._counting: dict[str, Future[Callable[[str], int]]] = {}
        self._tokenizers = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")

    def require_upload_quota(self, user: User, sizes: Sequence[int], *, counts: bool = True) -> None:
        """Count files of these ``sizes`` in bytes as uploaded.  Raises ``UploadsUsedUp`` where those are too many.

        ``counts`` False only asks.  Where nobody signs in, the user has the whole disk anyway.
        """
        if user == LOCAL_USER:
            return
        ask = self._uploaded.spend if counts else self._uploaded.wait_seconds
        if ask(user.name, [len(sizes), sum(sizes)]) > 0:
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

    def articles_for(self, user: User, name: str) -> tuple[DocumentRow, ...]:
        """Return those of them that this user's audience may see."""
        rows = self.articles(name)
        return rows if user.audience == "internal" else tuple(row for row in rows if row.audience == "public")

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
    """Return a pipeline as the real one, which can be explained.  Raises ``TypeError`` for another."""
    from rag.pipeline import Pipeline

    if not isinstance(pipeline, Pipeline):
        raise TypeError(f"only a Pipeline can be looked into, not {type(pipeline).__name__}")
    return pipeline


class KnowledgeService(GuardedService[KnowledgeRegistry]):
    """One knowledge base, for the user of ``who``.  Every method may raise ``AccessDenied`` or ``NotPermitted``."""

    # reading

    def articles(self) -> tuple[DocumentRow, ...]:
        """Return every article, without its text; to the public audience those for customers."""
        return self._articles(self._permitted("agent"))

    def uses(self) -> Uses | None:
        """Return how often each article was cited and disliked in the last 90 days; None until that is counted."""
        self._colleague()
        return self.registry.uses(self.name)

    def figure(self, digest: str) -> bytes | None:
        """Return a picture, a WebP; None where no article that this reader may see has it (any more)."""
        user = self._permitted("agent")
        store = self.registry.store(self.name)
        if not store.exists():
            return None
        audiences = store.figure_audiences(digest)
        is_theirs = "public" in audiences or (user.audience == "internal" and bool(audiences))
        return FigureFolder(store.folder).read(digest) if is_theirs else None

    def article(self, document_id: str) -> OpenedArticle | None:
        """Return one article with its passages; None where it is not there (any more) for this reader.

        For the public blanks stand in its text where a sentence is not confirmed.
        """
        user = self._permitted("agent")
        store = self.registry.store(self.name)
        generation = store.current_generation()
        row = next((row for row in self._articles(user) if row.document_id == document_id), None)
        if row is None:
            return None
        try:
            document = store.document(document_id, generation)
        except KeyError:
            return None
        if user.audience == "public" and document.audience == "internal":  # it became internal just now
            return None
        keys = ContactDetailTable(store).unconfirmed_of([document_id], generation).get(document_id, frozenset())
        unconfirmed = tuple(TextSpan(one.start, one.end) for one in details_named(document.text, keys))
        if user.audience == "public":
            document = replace(document, text=confirmed_text(document.text, keys))
        passages = store.document_chunks(document_id, generation)
        count = self.registry.count_tokens(self.name, user)
        tokens = tuple(count(passage.text) for passage in passages) if count is not None else None
        return OpenedArticle(document, row.root, passages, tokens, generation, unconfirmed)

    def stretch(self, document_id: str, start: int, end: int | None, most: int | None = None) -> Stretch:
        """Return at most ``most`` characters of an article from ``start`` on, up to ``end``; None: all there are.

        Programs get it, which may give it to a model.  Raises ``DocumentMissing``.
        """
        opened = self.article(document_id)
        if opened is None:
            raise DocumentMissing(document=document_id)
        length = len(opened.document.text)
        first = min(max(start, 0), length)
        last = max(first, min(length if end is None else end, length if most is None else first + most, length))
        text = text_without_orders(opened.document.text, first, last)
        unconfirmed = tuple(one for one in opened.unconfirmed if one.start < last and first < one.end)
        return Stretch(opened.document, opened.generation, first, last, text, unconfirmed)

    def history(self) -> History:
        """Return every generation that was published."""
        from ingest.publish import history, oldest_restorable  # brings the indexes' libraries

        self._colleague()
        try:
            generations = history(self._settings.knowledge_dir)
        except KnowledgeBaseMissing:
            return History()
        return History(tuple(generations), oldest_restorable(generations))

    def changes(self, generation: int) -> Changes:
        """Return a generation's changes against the one before it; only kept ones can be compared."""
        self._colleague()
        return changes_between(self.registry.store(self.name), generation - 1, generation)

    def sources(self) -> tuple[Source, ...]:
        """Return the folders that the articles came from, the largest first."""
        self._colleague()
        counts: dict[str, int] = {}
        for row in self.registry.articles(self.name):
            counts[row.root] = counts.get(row.root, 0) + 1
        uploads = self._uploads.folder.resolve()
        return tuple(
            Source(root, Path(root).name, count, Path(root).is_dir(), Path(root) == uploads)
            for root, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        )

    # changing

    def waiting(self) -> tuple[Upload, ...]:
        """Return the files that were handed in and not published."""
        self._colleague()
        return self._uploads.waiting()

    @property
    def largest_upload_megabytes(self) -> int:
        """The largest file that would be read."""
        return self._settings.document_limit_megabytes

    def require_room(self, size_bytes: int) -> None:
        """Raise as ``keep`` would for a file of at least this size, before it is read.  Nothing is counted."""
        user = self._permitted("lead")
        self._require_rest()
        self.registry.require_upload_quota(user, [size_bytes], counts=False)

    def keep(self, files: Sequence[tuple[str, bytes | memoryview]]) -> None:
        """Let files wait, each under its name.

        Raises ``UploadUnusable``, ``UploadsUsedUp`` and ``StorageFull``, or ``IngestRunning`` beside a job.
        """
        user = self._permitted("lead")
        self._require_rest()
        self.registry.require_upload_quota(user, [len(content) for _, content in files])
        for name, content in files:
            self._uploads.keep(name, content)

    def discard(self) -> None:
        """Take back all files that wait."""
        self._permitted("lead")
        self._require_rest()
        self._uploads.discard([upload.name for upload in self._uploads.waiting()])
        self.registry.jobs.forget(self.job_slot)

    def check(self, roots: Sequence[str] = (), *, prune: bool = False) -> Job:
        """Begin to find out what publishing the waiting files, and reading these folders again, would change.

        The result of the job is ``CheckResult``.  Raises ``IngestRunning`` and ``NothingToIngest``.
        """
        user = self._permitted("lead")
        known = {source.root for source in self.sources()}
        chosen = tuple(root for root in roots if root in known)
        files = self._files()
        job = IngestJob(self._paths(chosen), prune=prune, rehearsal=True)

        def work(control: JobControl) -> CheckResult:
            return CheckResult(self.registry.run(self._settings, job, control), files, chosen, prune)

        return self._begin("check", work, user)

    def is_current(self, checked: CheckResult) -> bool:
        """Tell whether the check still holds: the same files, and no generation since."""
        current = self.registry.store(self.name).current_generation()
        return checked.files == self._files() and checked.summary.generation == current

    def is_serving(self, generation: int) -> bool:
        """Tell whether this generation is the one that answers questions now."""
        self._colleague()
        return self.registry.store(self.name).current_generation() == generation

    def publish(self, checked: CheckResult, *, force: bool = False) -> Job:
        """Begin to publish what was checked; the result of the job is an ``IngestSummary``.  Raises as ``check``."""
        return self._publish(self._paths(checked.roots), [name for name, _ in checked.files], checked.prune, force)

    def publish_all(self, roots: Sequence[str] = (), *, prune: bool = False, force: bool = False) -> Job:
        """Begin to publish all waiting files, and these folders read again, without a check by a person before.

        The regression gate is asked all the same.  Raises as ``check``.
        """
        known = {source.root for source in self.sources()}
        chosen = [root for root in roots if root in known]
        return self._publish(self._paths(chosen), [name for name, _ in self._files()], prune, force)

    def _publish(self, paths: Sequence[Path], names: Sequence[str], prune: bool, force: bool) -> Job:
        user = self._permitted("admin")
        job = IngestJob(tuple(paths), prune=prune, force=force)

        def work(control: JobControl) -> IngestSummary:
            summary = self.registry.run(self._settings, job, control)
            if not summary.is_held_back:
                folder, unread = self._uploads.folder, summary.unread
                self._uploads.discard([name for name in names if folder / name in unread])
                self._uploads.settle(names)
            if summary.published:
                figures = {"generation": summary.generation, "added": summary.added, "changed": summary.changed}
                self.registry.record(user, "published", self.name, figures)
            return summary

        return self._begin("publish", work, user)

    def new_details(self) -> tuple[NewDetail, ...]:
        """Return the addresses in what is served that nobody has confirmed."""
        self._colleague()
        store = self.registry.store(self.name)
        generation = store.current_generation()
        return ContactDetailTable(store).unconfirmed(generation) if generation else ()

    def confirm_details(self, details: Collection[str]) -> None:
        """Confirm addresses in what is served, those that ``new_details`` showed: answers mark them no more.

        Raises ``IngestRunning`` and ``KnowledgeBaseMissing``.
        """
        from ingest.new_details import confirm_details

        user = self._permitted("lead")
        generation, count = confirm_details(
            self._settings.knowledge_dir, user.name, details, KnowledgeShare.of(self._settings)
        )
        self.registry.record(user, "confirmed", self.name, {"generation": generation, "number": count})

    def go_back(self, generation: int) -> Job:
        """Begin to serve an earlier generation again; the result of the job is a ``GenerationInfo``.

        Raises ``GenerationGone``, ``IngestRunning`` and ``KnowledgeBaseMissing``, and the job, too.
        """
        from ingest.publish import history, require_restorable, rollback  # brings the indexes' libraries

        user = self._permitted("admin")
        self._require_rest()
        require_restorable(history(self._settings.knowledge_dir), generation)

        def work(_: JobControl) -> GenerationInfo:
            info = rollback(self._settings.knowledge_dir, generation, KnowledgeShare.of(self._settings))
            figures = {"generation": info.generation, "restored": generation}
            self.registry.record(user, "rolled_back", self.name, figures)
            return info

        return self._begin("rollback", work, user)

    @property
    def job_slot(self) -> str:
        """The job slot of what changes this knowledge base."""
        return f"knowledge {self.name}"

    def job(self, number: int = 0) -> Job | None:
        """Return the last job that changes this knowledge base, or was to; with a number, the one that has it."""
        self._colleague()
        return self.registry.jobs.find(self.job_slot, number)

    def stop(self, number: int = 0) -> None:
        """Stop the job that runs; with a number, only if it has that."""
        self._permitted("lead")
        self.registry.jobs.stop(self.job_slot, number)

    def forget_job(self) -> None:
        """Discard the result of the last job."""
        self._permitted("lead")
        self.registry.jobs.forget(self.job_slot)

    # why

    def explain(self, tab: str, question: str, document_id: str = "") -> Job:
        """Begin to explain a question, for one browser tab; the job's result is a ``rag.explanation.Explanation``."""
        user = self._permitted("lead")

        def work(_: JobControl) -> object:
            from rag.explanation import explain

            return explain(real_pipeline(self.registry.pipeline(self.name, user)), question, document_id=document_id)

        return self.registry.jobs.start(self._why_slot(tab), "why", work, user.name)

    def explanation(self, tab: str) -> Job | None:
        """Return a tab's last explanation, running or done."""
        self._permitted("lead")
        return self.registry.jobs.latest(self._why_slot(tab))

    def wait_for_explanation(self, tab: str, timeout_seconds: float) -> Job | None:
        """Return it once it is done or the time is over."""
        self._permitted("lead")
        return self.registry.jobs.wait(self._why_slot(tab), timeout_seconds)

    def _articles(self, user: User) -> tuple[DocumentRow, ...]:
        return self.registry.articles_for(user, self.name)

    def _why_slot(self, tab: str) -> str:
        return f"why {self.name} {self._who().name} {tab}"

    def _begin(self, kind: str, work: Work, user: User) -> Job:
        return self.registry.jobs.start(self.job_slot, kind, work, user.name, by_number=True)

    def _require_rest(self) -> None:
        """Raise ``IngestRunning`` while a job may be reading the waiting files."""
        job = self.registry.jobs.latest(self.job_slot)
        if job is not None and job.running:
            raise IngestRunning(holder=job.who)

    def _paths(self, roots: Sequence[str]) -> tuple[Path, ...]:
        paths = (*self._uploads.paths(), *map(Path, roots))
        if not paths:
            raise NothingToIngest(path="-")
        return paths

    def _files(self) -> tuple[tuple[str, int], ...]:
        """Return the waiting files, each with the time of its last change in nanoseconds."""
        return tuple((path.name, path.stat().st_mtime_ns) for path in self._uploads.paths())

    @property
    def _uploads(self) -> Uploads:
        return Uploads(self._settings.uploads_dir)
