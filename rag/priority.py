"""Which of our processes goes first on a machine that is too small for all of them.

The desk finds passages in milliseconds and must not wait for the model, which takes every core for seconds; an ingest
has hours.  Linux shares the cores among sessions before it looks at single processes (sched(7), autogroups), so a
session is told to give way, too, where it can be.
"""

import contextlib
import os

MODEL_GIVES_WAY_BY, INGEST_GIVES_WAY_BY = 10, 19
"""Nice levels.  Of a core that the desk wants as well, the model keeps a tenth at 10; of one that the model wants, an
ingest has an eighth at 19."""

_AUTOGROUP = "/proc/self/autogroup"


def lower_priority(by: int) -> None:
    """Let this process, which leads a session of its own, go behind others by so many nice levels, in [0, 19]."""
    with contextlib.suppress(OSError):
        os.nice(by)
    with contextlib.suppress(OSError):  # a kernel without autogroups
        session = os.open(_AUTOGROUP, os.O_WRONLY)
        try:
            os.write(session, str(by).encode())
        finally:
            os.close(session)
