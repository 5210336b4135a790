"""The harness proves itself: known solutions pass, broken ones fail, hostile programs fail and harm nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from eval.code.hostile import ENTRY_POINT, HOSTILE, IMPOSTOR, LIMITS, HostileResult, baited, run_hostile
from eval.code.judging import judge
from eval.code.problems import Problem
from eval.code.sandbox import Sandbox
from eval.core.progress import SILENT, Progress, counted


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Task ids of known solutions that failed, and of programs without an answer that passed; hostile programs."""

    n: int
    solutions_failed: tuple[str, ...]
    broken_passed: tuple[str, ...]
    impostors_passed: tuple[str, ...]
    hostile: tuple[HostileResult, ...]

    @property
    def held(self) -> bool:
        """Whether everything is as it should be."""
        wrong = (*self.solutions_failed, *self.broken_passed, *self.impostors_passed)
        return not wrong and all(one.held for one in self.hostile)

    def to_json(self) -> dict[str, object]:
        """Return the result for programs."""
        return asdict(self) | {"held": self.held}


def check_harness(
    problems: Sequence[Problem], first: Problem, sandbox: Sandbox, progress: Progress = SILENT
) -> SelfCheck:
    """Run the problems' own solutions, ``return None`` and an object that equals everything; then the hostile set.

    ``first`` is HumanEval's first problem, whose tests the hostile programs face.
    """
    assert first.entry_point == ENTRY_POINT
    advance = counted(progress, "✓", 3 * len(problems) + len(HOSTILE))

    def passes(program: str, problem: Problem) -> bool:
        advance(None)
        return judge(program, problem, sandbox).outcome == "passed"

    solved = {one.task_id: passes(one.prompt + one.canonical_solution, one) for one in problems}
    broken = {one.task_id: passes(broken_program(one), one) for one in problems}
    impostors = {one.task_id: passes(impostor_program(one), one) for one in problems}
    hostile: list[HostileResult] = []
    with baited() as bait, Sandbox(LIMITS) as narrow:
        for name in HOSTILE:
            advance(None)
            hostile.append(run_hostile(first, name, bait, narrow))
    return SelfCheck(
        len(problems),
        tuple(task for task, passed in solved.items() if not passed),
        tuple(task for task, passed in broken.items() if passed),
        tuple(task for task, passed in impostors.items() if passed),
        tuple(hostile),
    )


def broken_program(problem: Problem) -> str:
    """Return a program whose function returns nothing."""
    return f"{problem.prompt}\n    return None\n"


def impostor_program(problem: Problem) -> str:
    """Return a program whose function returns an object that says that it equals everything."""
    return f"{IMPOSTOR}{problem.prompt}\n    return Everything()\n"
