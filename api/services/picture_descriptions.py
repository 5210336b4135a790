"""Lets the model that sees describe a customer's picture, for one person; the page asks what became of it."""

import threading
from collections.abc import Callable

from api.services.jobs import Job, JobControl, Jobs
from rag.errors import AnswerCancelled
from rag.generation.picture_description import PictureDescriber, PictureDescription
from rag.generation.queued_answer import Asker
from rag.pictures import Picture
from rag.schema import Language
from rag.storage.access import User
from rag.turns import owner_of

DescriberOf = Callable[[], PictureDescriber]
"""Returns what describes pictures; it is made at the first call, for it brings libraries."""


class PictureDescriptions:
    """Descriptions for one person.  ``who`` is asked anew at each call; only its own tab knows a picture's id."""

    def __init__(self, jobs: Jobs, describer: DescriberOf, who: Callable[[], User]) -> None:
        self._jobs = jobs
        self._describer = describer
        self._who = who

    def start(self, picture_id: str, picture: Picture, language: Language, *, tab: str = "") -> None:
        """Begin to describe a picture; the job's result is a ``PictureDescription``.

        The job fails with a ``ServingError``.  Raises ``OwnFilesWaiting`` as ``Attachments.start`` does.
        """
        owner = owner_of(self._who(), tab)

        def work(control: JobControl) -> PictureDescription:
            control.tell(None)  # ends it here where it was stopped before its turn came
            cancelled = threading.Event()
            control.when_stopped(cancelled.set)
            try:
                return self._describer().describe(picture, language, Asker(owner, tab), cancelled)
            except AnswerCancelled:
                control.tell(None)
                raise

        self._jobs.start(self._lane(picture_id), "picture", work, owner)

    def job(self, picture_id: str) -> Job | None:
        """Return a description as far as it is made; None where there is none."""
        return self._jobs.latest(self._lane(picture_id))

    def stop(self, picture_id: str) -> None:
        """Stop it; the model is free within a quarter of a second."""
        self._jobs.stop(self._lane(picture_id))

    def forget(self, picture_id: str) -> None:
        """Forget a description that was made."""
        self._jobs.forget(self._lane(picture_id))

    def _lane(self, picture_id: str) -> str:
        return f"picture {self._who().name} {picture_id}"
