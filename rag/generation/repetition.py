"""Tells when a small model goes round in circles."""

import re

_TOKEN = re.compile(r"[^\W_]+|\S", re.ASCII)
_LONGEST_PERIOD_CHARACTERS = 120
_PERIODIC_CHARACTERS = 48
_PERIODS = 4
_RUN_TOKENS = 14
_RUN_TIMES = 3


def repetition_start(text: str) -> int | None:
    """Return the offset at which a text begins to repeat itself; None where it does not.

    Either its end is one piece four times over, or a run of fourteen tokens (words, ideographs, marks) stands in it
    three times: lists of similar short lines are none.

    >>> repetition_start("Yes. " + "It is free. " * 6), repetition_start("It is free. It is free of charge.")
    (15, None)
    """
    periodic = _periodic_end(text)
    return periodic if periodic is not None else _repeated_run(text)


def _periodic_end(text: str) -> int | None:
    for period in range(1, min(_LONGEST_PERIOD_CHARACTERS, len(text) // _PERIODS) + 1):
        length = period
        while length < len(text) and text[-length - 1] == text[-length - 1 + period]:
            length += 1
        if length >= max(_PERIODS * period, _PERIODIC_CHARACTERS):
            return len(text) - length + period
    return None


def _repeated_run(text: str) -> int | None:
    tokens = list(_TOKEN.finditer(text.lower()))
    seen: dict[tuple[str, ...], list[int]] = {}
    words = [token.group() for token in tokens]
    for index in range(len(words) - _RUN_TOKENS + 1):
        starts = seen.setdefault(tuple(words[index : index + _RUN_TOKENS]), [])
        if not starts or index >= starts[-1] + _RUN_TOKENS:
            starts.append(index)
        if len(starts) == _RUN_TIMES:
            return tokens[starts[1]].start()
    return None
