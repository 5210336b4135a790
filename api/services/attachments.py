"""Customers' attachments: files read in a process of their own, pictures described by the vision model.

Each is a job; the page asks what became of it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from api.services.jobs import Job, JobControl, Jobs
from ingest.reader import FileReader, copy_picture_of_file, is_picture, question_of_file
from rag.errors import AnswerCancelled, DocumentUnreadable
from rag.generation.picture_description import PictureDescriber, PictureDescription
from rag.generation.queued_answer import Asker
from rag.pictures import Picture
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import User
from rag.turns import PersonLimits, owner_of

_WORDLESS = ("picture", "unsupported")  # no words in it, and OCR turned off


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What was typed and a file's words as a ``question``, empty where there are none; and the picture that it is.

    ``picture`` is None where the file is none, or no model is there to be shown it.
    """

    question: str
    picture: Picture | None = None


class _PersonalJobs:
    """Jobs of one person.  ``who`` is asked again at each call; a job's id is known to its own tab alone."""

    kind: ClassVar[str]

    def __init__(self, jobs: Jobs, who: Callable[[], User]) -> None:
        self._jobs = jobs
        self._who = who

    def job(self, job_id: str) -> Job | None:
        """Return a job's present state, if there is one."""
        return self._jobs.latest(self._job_slot(job_id))

    def stop(self, job_id: str) -> None:
        """Stop it; a model is free within a quarter of a second."""
        self._jobs.stop(self._job_slot(job_id))

    def forget(self, job_id: str) -> None:
        """Forget its result, with its words."""
        self._jobs.forget(self._job_slot(job_id))

    def _job_slot(self, job_id: str) -> str:
        return f"{self.kind} {self._who().name} {job_id}"


class Attachments(_PersonalJobs):
    """Reads files for one person."""

    kind = "attachment"

    def __init__(self, jobs: Jobs, settings: Settings, who: Callable[[], User]) -> None:
        super().__init__(jobs, who)
        self._settings = settings

    def start(self, file_id: str, name: str, content: bytes, typed: str, *, tab: str = "") -> None:
        """Begin to read a file; the job's result is a ``ReadFile`` of what was ``typed`` and the file's words.

        The job fails with ``QuestionTooLong`` where that is no question's length any more.  Raises ``OwnFilesWaiting``
        where too many files of the same person wait, of the same ``tab`` where nobody signs in.
        """
        user = self._who()
        limits = PersonLimits.of(self._settings)

        def work(control: JobControl) -> ReadFile:
            control.tell(None)  # ends it here where it was stopped before its turn came
            with FileReader.of(self._settings) as reader:
                control.on_stop(reader.interrupt)
                try:
                    words, picture = self._read(name, content, reader)
                except DocumentUnreadable:
                    control.tell(None)  # ends it here where it was stopped, for the reader was ended, too
                    raise
                control.tell(None)
            question = "\n\n".join(filter(None, (typed.strip(), words)))
            return ReadFile(limits.require_short(question) if question else "", picture)

        self._jobs.start(self._job_slot(file_id), self.kind, work, owner_of(user, tab))

    def _read(self, name: str, content: bytes, reader: FileReader) -> tuple[str, Picture | None]:
        """Return a file's words, and the file as a picture if it is one that a model can be shown."""
        if not self._settings.vision_model or not is_picture(name):
            return question_of_file(name, content, reader), None
        try:
            words = question_of_file(name, content, reader)
        except DocumentUnreadable as error:
            if error.details["reason"] not in _WORDLESS:
                raise
            words = ""
        kept: list[Picture] = []
        copy_picture_of_file(name, content, reader, lambda png: kept.append(Picture(png)))
        return words, kept[0]


DescriberOf = Callable[[], PictureDescriber]
"""Returns what describes pictures; it is made at the first call, for it brings libraries."""


class PictureDescriptions(_PersonalJobs):
    """Descriptions for one person."""

    kind = "picture"

    def __init__(self, jobs: Jobs, describer: DescriberOf, who: Callable[[], User]) -> None:
        super().__init__(jobs, who)
        self._describer = describer

    def start(self, picture_id: str, picture: Picture, language: Language, *, tab: str = "") -> None:
        """Begin to describe a picture; the job's result is a ``PictureDescription``.

        The job fails with a ``ServingError``.  Raises ``OwnFilesWaiting`` as ``Attachments.start`` does.
        """
        owner = owner_of(self._who(), tab)

        def work(control: JobControl) -> PictureDescription:
            control.tell(None)  # ends it here where it was stopped before its turn came
            cancelled = threading.Event()
            control.on_stop(cancelled.set)
            try:
                return self._describer().describe(picture, language, Asker(owner, tab), cancelled)
            except AnswerCancelled:
                control.tell(None)
                raise

        self._jobs.start(self._job_slot(picture_id), self.kind, work, owner)
