"""Ctrl-C while a program still imports its modules, which takes seconds: it ends it without a word."""

import signal


def end_at_interrupt() -> None:
    """Let Ctrl-C end this process at once, without a traceback; a shell tells that as 130.

    Each program calls this before its other imports: there is nothing to be put in order yet.  Where SIGINT is ignored,
    as in a shell's background, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_at_interrupt() -> None:
    """Let Ctrl-C raise ``KeyboardInterrupt`` again, from the beginning of the command's own work on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
