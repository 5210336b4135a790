"""What the Knowledge page calls: reading for everybody, checking for leads, publishing and going back for admins.

Every call asks anew who is there and what they may do; long ones are jobs, and the page looks at how far they are.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from ingest.changes import Changes, changes_between
from ingest.job import IngestJob
from ingest.summary import IngestSummary
from ingest.uploads import Upload, Uploads
from rag.errors import IngestRunning, KnowledgeBaseMissing, NothingToIngest, NotPermitted
from rag.settings import Settings
from rag.storage.access import Role, User
from rag.storage.contact_details import ContactDetailTable, NewDetail
from rag.storage.store import DocumentRow, GenerationInfo
from ui.services.document_usage import Uses
from ui.services.jobs import Job, JobControl
from ui.services.knowledge_registry import Checked, History, KnowledgeRegistry, OpenedArticle, Source, real_pipeline


class KnowledgeService:
    """One knowledge base, for whoever ``who`` names.  Every method may raise ``AccessDenied`` or ``NotPermitted``."""

    def __init__(
        self, shelf: KnowledgeRegistry, name: str, who: Callable[[], User], require: Callable[[User, str], None]
    ) -> None:
        self.shelf = shelf
        self.name = name
        self._who = who
        self._access = require

    # reading

    def articles(self) -> tuple[DocumentRow, ...]:
        """Return every article, without its text."""
        self._permitted("agent")
        return self.shelf.articles(self.name)

    def uses(self) -> Uses | None:
        """Return how often each article was cited and disliked in the last 90 days; None until that is counted."""
        self._permitted("agent")
        return self.shelf.uses(self.name)

    def article(self, document_id: str) -> OpenedArticle | None:
        """Return one article with its passages; None where it is not there (any more)."""
        user = self._permitted("agent")
        store = self.shelf.store(self.name)
        generation = store.current_generation()
        row = next((row for row in self.shelf.articles(self.name) if row.document_id == document_id), None)
        if row is None:
            return None
        try:
            document = store.document(document_id, generation)
        except KeyError:
            return None
        passages = store.document_chunks(document_id, generation)
        count = self.shelf.count_tokens(self.name, user)
        tokens = tuple(count(passage.text) for passage in passages) if count is not None else None
        return OpenedArticle(document, row.root, passages, tokens, generation)

    def history(self) -> History:
        """Return every generation that was published."""
        from ingest.history import history, oldest_restorable  # brings the indexes' libraries

        self._permitted("agent")
        try:
            generations = history(self._settings.knowledge_dir)
        except KnowledgeBaseMissing:
            return History()
        return History(tuple(generations), oldest_restorable(generations))

    def changes(self, generation: int) -> Changes:
        """Return what a generation brought, against the one before it; only kept ones can be told."""
        self._permitted("agent")
        return changes_between(self.shelf.store(self.name), generation - 1, generation)

    def sources(self) -> tuple[Source, ...]:
        """Return the folders that the articles came from, the largest first."""
        self._permitted("agent")
        counts: dict[str, int] = {}
        for row in self.shelf.articles(self.name):
            counts[row.root] = counts.get(row.root, 0) + 1
        uploads = self._uploads.folder.resolve()
        return tuple(
            Source(root, Path(root).name, count, Path(root).is_dir(), Path(root) == uploads)
            for root, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        )

    # changing

    def waiting(self) -> tuple[Upload, ...]:
        """Return the files that were handed in and not published."""
        self._permitted("agent")
        return self._uploads.waiting()

    @property
    def largest_upload_megabytes(self) -> int:
        """The largest file that would be read."""
        return self._settings.document_limit_megabytes

    def keep(self, files: Sequence[tuple[str, bytes | memoryview]]) -> None:
        """Let files wait, each under its name.

        Raises ``UploadUnusable``, ``UploadsUsedUp`` and ``StorageFull``, or ``IngestRunning`` beside a job.
        """
        user = self._permitted("lead")
        self._require_rest()
        self.shelf.require_upload_quota(user, [len(content) for _, content in files])
        for name, content in files:
            self._uploads.keep(name, content)

    def discard(self) -> None:
        """Take back all files that wait."""
        self._permitted("lead")
        self._require_rest()
        self._uploads.discard([upload.name for upload in self._uploads.waiting()])
        self.shelf.jobs.forget(self.lane)

    def check(self, roots: Sequence[str] = (), *, prune: bool = False) -> Job:
        """Begin to find out what publishing the waiting files, and reading these folders again, would change.

        The result of the job is ``Checked``.  Raises ``IngestRunning`` and ``NothingToIngest``.
        """
        user = self._permitted("lead")
        known = {source.root for source in self.sources()}
        chosen = tuple(root for root in roots if root in known)
        files = self._files()
        job = IngestJob(self._paths(chosen), prune=prune, rehearsal=True)

        def work(control: JobControl) -> Checked:
            return Checked(self.shelf.run(self._settings, job, control), files, chosen, prune)

        return self.shelf.jobs.start(self.lane, "check", work, user.name)

    def is_current(self, checked: Checked) -> bool:
        """Tell whether publishing now would do what was checked: the same files, and no generation since."""
        current = self.shelf.store(self.name).current_generation()
        return checked.files == self._files() and checked.summary.generation == current

    def publish(self, checked: Checked, *, force: bool = False) -> Job:
        """Begin to publish what was checked; the result of the job is an ``IngestSummary``.  Raises as ``check``."""
        user = self._permitted("admin")
        job = IngestJob(self._paths(checked.roots), prune=checked.prune, force=force)
        names = [name for name, _ in checked.files]

        def work(control: JobControl) -> IngestSummary:
            summary = self.shelf.run(self._settings, job, control)
            if not summary.shut_out:
                refused = {Path(str(failure.details["path"])) for failure in summary.failures}
                folder = self._uploads.folder
                self._uploads.discard([name for name in names if folder / name in refused])
                self._uploads.settle(names)
            if summary.published:
                figures = {"generation": summary.generation, "added": summary.added, "changed": summary.changed}
                self.shelf.record(user, "published", self.name, figures)
            return summary

        return self.shelf.jobs.start(self.lane, "publish", work, user.name)

    def new_details(self) -> tuple[NewDetail, ...]:
        """Return the addresses in what is served that nobody has confirmed."""
        self._permitted("agent")
        store = self.shelf.store(self.name)
        generation = store.current_generation()
        return ContactDetailTable(store).unconfirmed(generation) if generation else ()

    def confirm_details(self) -> None:
        """Confirm all addresses in what is served: answers mark them no more.

        Raises ``IngestRunning`` and ``KnowledgeBaseMissing``.
        """
        from ingest.new_details import confirm_details

        user = self._permitted("lead")
        generation, count = confirm_details(self._settings.knowledge_dir, user.name)
        self.shelf.record(user, "confirmed", self.name, {"generation": generation, "number": count})

    def go_back(self, generation: int) -> Job:
        """Begin to serve an earlier generation again; the result of the job is a ``GenerationInfo``."""
        user = self._permitted("admin")

        def work(_: JobControl) -> GenerationInfo:
            from ingest.history import rollback

            info = rollback(self._settings.knowledge_dir, generation)
            figures = {"generation": info.generation, "restored": generation}
            self.shelf.record(user, "rolled_back", self.name, figures)
            return info

        return self.shelf.jobs.start(self.lane, "rollback", work, user.name)

    @property
    def lane(self) -> str:
        """The lane of what changes this knowledge base."""
        return f"knowledge {self.name}"

    def job(self) -> Job | None:
        """Return the last job that changes this knowledge base, or was to."""
        self._permitted("agent")
        return self.shelf.jobs.latest(self.lane)

    def stop(self) -> None:
        """Stop the job that runs."""
        self._permitted("lead")
        self.shelf.jobs.stop(self.lane)

    def forget_job(self) -> None:
        """Put the result of the last job away."""
        self._permitted("lead")
        self.shelf.jobs.forget(self.lane)

    # why

    def explain(self, tab: str, question: str, document_id: str = "") -> Job:
        """Begin to explain a question, for one browser tab; the job's result is a ``rag.explanation.Explanation``."""
        user = self._permitted("lead")

        def work(_: JobControl) -> object:
            from rag.explanation import explain

            return explain(real_pipeline(self.shelf.pipeline(self.name, user)), question, document_id=document_id)

        return self.shelf.jobs.start(self._why_lane(tab), "why", work, user.name)

    def explanation(self, tab: str) -> Job | None:
        """Return a tab's last explanation, running or done."""
        self._permitted("lead")
        return self.shelf.jobs.latest(self._why_lane(tab))

    def wait_for_explanation(self, tab: str, timeout_seconds: float) -> Job | None:
        """Return it once it is done or the time is over."""
        self._permitted("lead")
        return self.shelf.jobs.wait(self._why_lane(tab), timeout_seconds)

    def may(self, role: Role) -> bool:
        """Tell whether they may do what this role may."""
        return self._who().is_at_least(role)

    def _why_lane(self, tab: str) -> str:
        return f"why {self.name} {self._who().name} {tab}"

    def _permitted(self, role: Role) -> User:
        user = self._who()
        self._access(user, self.name)
        if not user.is_at_least(role):
            raise NotPermitted(role=role)
        return user

    def _require_rest(self) -> None:
        """Raise ``IngestRunning`` while a job may be reading the waiting files."""
        job = self.shelf.jobs.latest(self.lane)
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
    def _settings(self) -> Settings:
        return self.shelf.settings.changed(knowledge_base=self.name)

    @property
    def _uploads(self) -> Uploads:
        return Uploads(self._settings.uploads_dir)
