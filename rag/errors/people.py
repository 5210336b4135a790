"""Who is not known here, or may not do this."""

from rag.errors.base import AnswerdeskError


class PeopleError(AnswerdeskError):
    """Somebody is not known here, or may not do this."""

    exit_code = 7


class SignInNeeded(PeopleError):
    """Nobody is signed in: never was, the time is over, somebody ended it, or the person was disabled."""


class SignInWrong(PeopleError):
    """Name and password do not belong together; which of the two is wrong is not told."""


class SignInThrottled(PeopleError):
    """Too many wrong attempts; the next is looked at in ``seconds``."""


class NotPermitted(PeopleError):
    """What was asked for needs at least the role ``role``."""


class PersonUnknown(PeopleError):
    """Nobody of this ``name``."""


class PersonTaken(PeopleError):
    """There is somebody of this ``name``; names are not given twice, also when a person was disabled."""


class PersonUnusable(PeopleError):
    """A name, a password or a code cannot be used; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, reason: str, **details: object) -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, **details)


class ScopeNotHeld(PeopleError):
    """``scopes`` were to be given by somebody who does not have them, or everything by somebody with limits."""


class PersonOutOfReach(PeopleError):
    """``name`` may read more than the admin who wanted to change them."""


class LastAdmin(PeopleError):
    """Nobody could let anybody in any more."""


class ForeignHost(PeopleError):
    """A browser asked for the desk under a name that is not one of its own: a stranger's name may lead anywhere."""


class ForeignPage(PeopleError):
    """A request came from a page that the desk did not serve, or through a proxy that is not trusted."""


class TooManyTabs(PeopleError):
    """One person has ``limit`` pages open, or opened far more within minutes."""


class UploadsFull(PeopleError):
    """The files of one person that wait in memory would be more than ``megabytes``."""
