"""Judges a program by a problem's own tests, which never enter the sandbox.

``check`` runs here, in this process: it is part of the pinned file.  What it calls is a stand-in for the program's
function, which sends the arguments into the sandbox and gets plain data back.  So a program sees neither the tests nor
what they expect, shares no interpreter with them, and has nothing to say that would count as passed: it has to give the
right values.  What this does not withstand: a program that knows the published tests by heart, and a hole in the kernel
or in bubblewrap.

Two things differ from HumanEval's own harness: a test would not see a change that a program makes to its arguments (no
test looks for one), and helpers of the prompt that a test uses are the prompt's, even if a program defines its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from eval.code.problems import Problem
from eval.code.sandbox import ProgramFault, Sandbox

Outcome = Literal["passed", "no_reply", "truncated", "no_code", "syntax", "wrong", "error", "time", "resources"]
OUTCOMES: tuple[Outcome, ...] = (
    "passed", "no_reply", "truncated", "no_code", "syntax", "wrong", "error", "time", "resources",
)  # fmt: skip
"""The outcome of an attempt.

The model gave an error; its reply was cut off; it holds no such function; it is no Python; a test does not hold; it
raises or ends; it takes too long; it wants too much memory or prints too much.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``detail`` is the call that failed with its value, or an error's class and words."""

    outcome: Outcome
    detail: str = ""


def judge(program: str, problem: Problem, sandbox: Sandbox, *, definitions_only: bool = False) -> Verdict:
    """Run a program against its problem's tests.  ``definitions_only`` is that of ``Sandbox.run``."""
    try:
        with sandbox.run(program, problem.entry_point, definitions_only=definitions_only) as running:
            check = _check_of(problem, running.call)
            try:
                check(running.call)
            except ProgramFault:
                raise
            except Exception as error:  # noqa: BLE001 - a test raises anything for a value of a wrong type
                kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
                return Verdict("wrong", f"{kind}{running.last_call}")
    except ProgramFault as fault:
        return Verdict(fault.fault, fault.detail)
    return Verdict("passed")


def _check_of(problem: Problem, candidate: Callable[..., object]) -> Callable[[Callable[..., object]], None]:
    """Run the prompt, for its helpers, and the tests; return ``check``."""
    namespace: dict[str, Any] = {"__name__": "tests"}
    exec(compile(problem.prompt, "<prompt>", "exec", dont_inherit=True), namespace)
    namespace[problem.entry_point] = candidate
    exec(compile(problem.test, "<test>", "exec", dont_inherit=True), namespace)
    check: Callable[[Callable[..., object]], None] = namespace["check"]
    return check
