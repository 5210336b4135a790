"""Measure a model on HumanEval: ask for each function, save every reply, run the programs, count.

The program is taken out of a reply as text, which is parsed in the sandbox and nowhere else: it is the last block of
code that defines the function, or, in a reply without blocks, everything from its first line of Python on; before it
the prompt's own imports and helpers.
"""

import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from eval.code.judging import Verdict, judge
from eval.code.problems import Problem
from eval.code.records import ATTEMPTS, VERDICTS, VERDICTS_NAME, Attempt, AttemptVerdict, summarise
from eval.code.sandbox import Sandbox
from eval.core.progress import SILENT, Progress, question_counter
from eval.core.runs import Run, keep_asking
from rag.errors import ModelSaidNothing, ModelStoppedHalfway, ModelTimedOut, OllamaRefused
from rag.generation.gateway import GenerationRequest, ModelGateway, blocking
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, Generator, Message
from rag.settings import Settings

Sampling = Literal["greedy", "profile"]
SAMPLINGS: tuple[Sampling, ...] = ("greedy", "profile")

SET_NAME = "humaneval"
_LENGTH = "length"  # Ollama's reason where the token budget was used up
_ASK = "Complete this function; reply with the whole function in one code block.\n\n```python\n{prompt}\n```"
# These end one attempt; anything else (no model server) ends the run, which can be resumed.
_ONE_ATTEMPT_ONLY = (ModelSaidNothing, ModelStoppedHalfway, ModelTimedOut, OllamaRefused)


@dataclass(frozen=True, slots=True)
class CodeOptions:
    """How functions are asked for.

    ``greedy`` draws the likeliest token each time (temperature 0), ``profile`` draws as the profile ``code`` does.
    ``samples`` replies are asked for a problem; ``answer_tokens`` are what a reply, with its thought, may have.
    """

    sampling: Sampling = "greedy"
    samples: int = 1
    think: bool = False
    answer_tokens: int = 2048

    def settings(self, settings: Settings) -> Settings:
        """Return settings with the profile's sampling, or none."""
        drawn = settings.changed(profile="code", temperature=None, top_p=None, repeat_penalty=None)
        return drawn.changed(temperature=0.0) if self.sampling == "greedy" else drawn


@dataclass(frozen=True, slots=True)
class CodeResult:
    """The figures of a run, with its attempts and their verdicts, in the same order."""

    summary: dict[str, object]
    attempts: tuple[Attempt, ...]
    judged: tuple[AttemptVerdict, ...]


def measure_code(
    problems: Sequence[Problem],
    gateway: ModelGateway,
    sandbox: Sandbox,
    kept: Run,
    options: CodeOptions = CodeOptions(),
    progress: Progress = SILENT,
) -> CodeResult:
    """Ask what the run does not hold yet, run what was not run yet, and count.

    ``gateway`` must have been built of ``options.settings(...)``.  Raises ``SettingsError`` when the run of that name
    measured something else, and the ``ServingError`` that ends a whole run.
    """
    model, stand_in = gateway.start(), gateway.generator.stand_in
    kept.begin(
        {
            "command": "code",
            "set": SET_NAME,
            "sampling": options.sampling,
            "samples": options.samples,
            "think": options.think,
            "answer_tokens": options.answer_tokens,
            "model": model,
            "stand_in": stand_in,
        },
        problems,
    )
    asking = _Asking(gateway, options)
    items = [((one.task_id, sample), (one, sample)) for one in problems for sample in range(options.samples)]
    attempts = keep_asking(
        kept.folder / "records.jsonl",
        ATTEMPTS,
        items,
        asking.ask,
        _key,
        question_counter(progress, SET_NAME, len(items)),
    )
    by_id = {one.task_id: one for one in problems}

    def run(attempt: Attempt) -> AttemptVerdict:
        verdict = judge_attempt(attempt, by_id[attempt.task_id], sandbox)
        return AttemptVerdict(attempt.task_id, attempt.sample, verdict.outcome, verdict.detail)

    written = [(_key(one), one) for one in attempts]
    judged = keep_asking(
        kept.folder / VERDICTS_NAME,
        VERDICTS,
        written,
        run,
        _key,
        question_counter(progress, f"{SET_NAME}: ✓", len(written)),
    )
    how = {"sampling": options.sampling, "think": options.think, "model": model, "stand_in": stand_in}
    summary = summarise(attempts, judged) | how
    kept.save_figures(summary)
    return CodeResult(summary, tuple(attempts), tuple(judged))


def judge_attempt(attempt: Attempt, problem: Problem, sandbox: Sandbox) -> Verdict:
    """Return the verdict on an attempt; a reply that was cut off has failed, whatever it holds."""
    if attempt.error:
        return Verdict("no_reply", attempt.error)
    if attempt.truncated:
        return Verdict("truncated")
    program = program_of(attempt.reply, problem)
    return judge(program, problem, sandbox, definitions_only=True) if program else Verdict("no_code")


def messages_of(problem: Problem) -> list[Message]:
    """Return the request to the model."""
    return [Message("user", _ASK.format(prompt=problem.prompt.strip()))]


def _key(record: Attempt | AttemptVerdict) -> tuple[str, int]:
    return record.task_id, record.sample


@dataclass(frozen=True, slots=True)
class _Asking:
    gateway: ModelGateway
    options: CodeOptions

    def ask(self, item: tuple[Problem, int]) -> Attempt:
        """Ask once.  An error of this attempt alone is recorded; an error of the surroundings is raised."""
        problem, sample = item

        def write(generator: Generator) -> Attempt:
            return self._write(generator, problem, sample)

        try:
            return self.gateway.result(GenerationRequest(blocking(write), is_typical=False))
        except _ONE_ATTEMPT_ONLY as error:
            return Attempt(problem.task_id, sample, error=type(error).__name__)

    def _write(self, generator: Generator, problem: Problem, sample: int) -> Attempt:
        begun_at = time.perf_counter()
        text: list[str] = []
        thinking: list[str] = []
        finished = GenerationFinished()
        parts = generator.generate(
            messages_of(problem), think=self.options.think, max_tokens=self.options.answer_tokens
        )
        with closing(parts):
            for part in parts:
                match part:
                    case GeneratedText():
                        text.append(part.text)
                    case GeneratedThinking():
                        thinking.append(part.text)
                    case GenerationFinished():
                        finished = part
        return Attempt(
            problem.task_id,
            sample,
            reply="".join(text).strip(),
            thinking="".join(thinking),
            truncated=finished.reason == _LENGTH,
            seconds=round(time.perf_counter() - begun_at, 3),
            prompt_tokens=finished.prompt_tokens,
            generated_tokens=finished.generated_tokens,
        )


_FENCE = re.compile(r"^[ \t]{0,3}(```+|~~~+)[^\n]*$", re.MULTILINE)
_FIRST_WORDS = ("def ", "async def ", "from ", "import ", "class ", "@")


def program_of(reply: str, problem: Problem) -> str:
    """Return the program to run; empty if no code of the reply defines the function."""
    wanted = f"def {problem.entry_point}("
    found = [block for block in blocks_of(reply) if _defines(block, wanted)]
    if not found and not _FENCE.search(reply):
        found = [block for block in [_python_part(reply)] if _defines(block, wanted)]
    return f"{problem.prelude}\n{found[-1]}" if found else ""


def blocks_of(reply: str) -> list[str]:
    r"""Return the contents of fenced blocks; one that is still open at the end counts as well.

    >>> blocks_of("Yes:\n```python\na = 1\n```\nor\n```\nb = 2")
    ['a = 1\n', 'b = 2']
    """
    blocks: list[str] = []
    begun, fence = -1, ""
    for match in _FENCE.finditer(reply):
        if begun < 0:
            begun, fence = match.end() + 1, match.group(1)
        elif match.group(0).strip().startswith(fence):
            blocks.append(reply[begun : match.start()])
            begun = -1
    return [*blocks, reply[begun:]] if 0 <= begun < len(reply) else blocks


def _defines(block: str, wanted: str) -> bool:
    return any(line.startswith((wanted, f"async {wanted}")) for line in block.splitlines())


def _python_part(reply: str) -> str:
    lines = reply.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if line.startswith(_FIRST_WORDS)), len(lines))
    return "".join(lines[first:])
