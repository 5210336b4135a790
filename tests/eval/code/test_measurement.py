"""A run from the questions to the figures: a scripted model, and no sandbox for programs of our own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from eval.code.measurement import CodeOptions, blocks_of, judge_attempt, measure_code, messages_of, program_of
from eval.code.records import VERDICTS, VERDICTS_NAME, Attempt
from eval.code.report import overview_rows
from eval.compare.pairs import compare_runs
from eval.compare.report_page import page
from eval.core.runs import Run, read_records
from rag.errors import ModelTimedOut, OllamaUnavailable, SettingsError
from rag.generation.gateway import ModelGateway
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, GenerationPart, Message
from rag.queue.admission import Admission
from rag.settings import Settings
from rag.testing import ScriptedGenerator
from tests.eval.code.cases import DOUBLED, HALF, RIGHT, NoSandbox

PROBLEMS = (DOUBLED, HALF)
WRONG = "```python\ndef half(x):\n    return x\n```"


def _gateway(replies: Mapping[str, Sequence[GenerationPart | Exception]]) -> ModelGateway:
    """Return a model that replies by the function's name."""

    def script(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        return next(parts for name, parts in replies.items() if f"def {name}(" in messages[-1].content)

    return ModelGateway(ScriptedGenerator(script), Admission(slots=1, max_waiting=8))


def _right_and(half: str) -> ModelGateway:
    return _gateway({"doubled": [GeneratedText(RIGHT["Test/0"])], "half": [GeneratedText(half)]})


def _calls(gateway: ModelGateway) -> int:
    assert isinstance(gateway.generator, ScriptedGenerator)
    return len(gateway.generator.calls)


def test_a_run_counts_what_passes_and_how_the_rest_fails(tmp_path: Path) -> None:
    sandbox, gateway, run = NoSandbox(), _right_and(WRONG), Run(tmp_path / "monday")
    result = measure_code(PROBLEMS, gateway, sandbox, run)
    assert [one.outcome for one in result.judged] == ["passed", "wrong"]
    assert result.judged[1].detail == "(2,)"  # the first call whose value is not right: twice(1)
    figures = run.figures()
    assert (figures["pass_at_1"], figures["model"], figures["stand_in"]) == (0.5, "scripted", True)
    assert (figures["sampling"], figures["think"]) == ("greedy", False)
    assert run.identity()["command"] == "code"


def test_the_same_command_asks_and_runs_nothing_twice(tmp_path: Path) -> None:
    run, gateway, sandbox = Run(tmp_path / "monday"), _right_and(WRONG), NoSandbox()
    first = measure_code(PROBLEMS, gateway, sandbox, run)
    assert (_calls(gateway), len(sandbox.programs)) == (2, 2)
    assert measure_code(PROBLEMS, gateway, sandbox, run).judged == first.judged
    assert (_calls(gateway), len(sandbox.programs)) == (2, 2)
    with pytest.raises(SettingsError, match="samples"):
        measure_code(PROBLEMS, gateway, sandbox, run, CodeOptions(samples=2))


def test_verdicts_can_be_found_anew_without_the_model(tmp_path: Path) -> None:
    run, gateway = Run(tmp_path / "monday"), _right_and(WRONG)
    measure_code(PROBLEMS, gateway, NoSandbox(), run)
    (run.folder / VERDICTS_NAME).unlink()
    again = NoSandbox()
    measure_code(PROBLEMS, gateway, again, run)
    assert (_calls(gateway), len(again.programs)) == (2, 2)
    assert [one.outcome for one in read_records(run.folder / VERDICTS_NAME, VERDICTS)] == ["passed", "wrong"]


def test_each_sample_is_asked_for_by_itself(tmp_path: Path) -> None:
    gateway = _right_and(WRONG)
    result = measure_code(PROBLEMS, gateway, NoSandbox(), Run(tmp_path / "a"), CodeOptions("profile", samples=3))
    assert _calls(gateway) == 6
    assert result.summary["pass_at_k"] == {"1": 0.5, "2": 0.5}


def test_what_is_cut_off_has_failed_though_it_would_pass(tmp_path: Path) -> None:
    cut = [GeneratedText(RIGHT["Test/0"]), GenerationFinished(generated_tokens=2048, reason="length")]
    result = measure_code((DOUBLED,), _gateway({"doubled": cut}), NoSandbox(), Run(tmp_path / "a"))
    assert (result.judged[0].outcome, result.attempts[0].generated_tokens) == ("truncated", 2048)


def test_thinking_is_kept_apart_from_the_reply(tmp_path: Path) -> None:
    parts = [GeneratedThinking("```python\ndef doubled(n): return 0\n```"), GeneratedText(RIGHT["Test/0"])]
    for think in (True, False):
        gateway = _gateway({"doubled": parts})
        run = Run(tmp_path / str(think))
        result = measure_code((DOUBLED,), gateway, NoSandbox(), run, CodeOptions(think=think))
        assert (result.summary["pass_at_1"], result.summary["thought"]) == (1.0, int(think))


def test_an_error_of_one_reply_is_recorded_and_a_lost_server_ends_the_run(tmp_path: Path) -> None:
    run, parts = Run(tmp_path / "monday"), {"doubled": [ModelTimedOut(seconds=1)], "half": [GeneratedText(WRONG)]}
    result = measure_code(PROBLEMS, _gateway(parts), NoSandbox(), run)
    assert (result.judged[0].outcome, result.judged[0].detail) == ("no_reply", "ModelTimedOut")
    with pytest.raises(OllamaUnavailable):
        lost = {"doubled": [OllamaUnavailable(host="here")], "half": [GeneratedText(WRONG)]}
        measure_code(PROBLEMS, _gateway(lost), NoSandbox(), Run(tmp_path / "tuesday"))


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [("I cannot.", "no_code"), ("```python\ndef half(x:\n```", "syntax"), (RIGHT["Test/1"], "passed")],
)
def test_replies_are_judged_by_their_program(reply: str, outcome: str) -> None:
    assert judge_attempt(Attempt("Test/1", 0, reply), HALF, NoSandbox()).outcome == outcome


def test_the_prompt_holds_the_function_and_the_wish() -> None:
    (message,) = messages_of(HALF)
    assert message.role == "user"
    assert message.content.startswith("Complete this function; reply with the whole function in one code block.")
    assert HALF.prompt.strip() in message.content


def test_greedy_draws_nothing_and_the_profile_draws_as_the_desk_does() -> None:
    settings = Settings(profile="support", temperature=0.9, top_p=0.5)
    greedy, profile = (CodeOptions(name).settings(settings).sampling for name in ("greedy", "profile"))
    assert (greedy.temperature, greedy.repeat_penalty) == (0.0, 1.0)
    assert (profile.temperature, profile.top_p, profile.repeat_penalty) == (0.3, 0.9, 1.0)


def test_two_runs_are_compared_and_reported(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    first, second = (Run.named(name, settings) for name in ("monday", "tuesday"))
    measure_code(PROBLEMS, _right_and(WRONG), NoSandbox(), first)
    measure_code(PROBLEMS, _right_and(RIGHT["Test/1"]), NoSandbox(), second, CodeOptions(think=True))
    found = compare_runs("monday", "tuesday", settings)
    (measure,) = found.measures
    assert (measure.measure, measure.n, measure.first, measure.second) == ("passed", 2, 0.5, 1.0)
    assert found.outcomes == {"Test/0": "tie", "Test/1": "win"}
    text = page([first, second], [], "en")
    for shown in ("a stand-in", "wrong value", "thinking", "50.0", "100.0", "Test/1", "DeepSeek-R1", "(2,)"):
        assert shown in text
    assert "替代模型" in page([first], [], "zh")


def test_the_row_of_r1_is_empty_until_r1_has_answered() -> None:
    figures = {
        "model": "stand-in:0.5b", "stand_in": True, "sampling": "greedy", "think": False, "n": 164, "samples": 1,
        "pass_at_1": 0.5, "intervals": {"pass_at_1": [0.42, 0.58]}, "outcomes": {"passed": 82, "wrong": 80},
    }  # fmt: skip
    rows = overview_rows([("monday", figures)], "en")
    assert rows[0][:8] == [
        "monday", "stand-in:0.5b (a stand-in)", "greedy", "off", "164", "50.0", "42.0 – 58.0",
        "61.6 (Qwen2.5-Coder-0.5B-Instruct)",
    ]  # fmt: skip
    assert rows[1][1] == "DeepSeek-R1"
    assert set(rows[1][2:]) == {"-"}
    own = figures | {"model": "deepseek-r1:7b", "stand_in": False}
    assert [row[1] for row in overview_rows([("monday", own)], "en")] == ["deepseek-r1:7b"]


BODY = "def doubled(numbers):\n    return numbers + numbers\n"


def test_the_last_block_that_defines_the_function_is_taken() -> None:
    used = "Use:\n```\nprint(doubled([1]))\n```\n"
    reply = f"First:\n```python\n{BODY}# first\n```\nBetter:\n```py\n{BODY}# second\n```\n{used}"
    assert program_of(reply, DOUBLED) == f"from typing import List\n\n\n\n{BODY}# second\n"


def test_helpers_of_the_prompt_stand_before_it() -> None:
    program = program_of("```python\ndef half(x):\n    return x / 2\n```", HALF)
    assert program == "def twice(x):\n    return x + x\n\n\ndef half(x):\n    return x / 2\n"


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "You double each number.",
        "```python\n```",
        "```python\nprint(doubled([1]))\n```",
        "```python\ndef doubled_twice(numbers):\n    return numbers\n```",
        "```python\n    return [2 * one for one in numbers]\n```",
        "```python\nclass Solution:\n    def doubled(self, numbers):\n        return numbers\n```",
    ],
)
def test_a_reply_without_the_function_has_no_program(reply: str) -> None:
    assert program_of(reply, DOUBLED) == ""


def test_a_reply_without_blocks_is_taken_from_its_first_line_of_python() -> None:
    reply = f"Here it is:\nimport math\n{BODY}"
    assert program_of(reply, DOUBLED).endswith(f"\nimport math\n{BODY}")
    assert "Here" not in program_of(reply, DOUBLED)


def test_fences_of_another_length_or_sign_do_not_close_a_block() -> None:
    assert blocks_of("````\na\n```\nb\n````\n~~~\nc\n```\n~~~") == ["a\n```\nb\n", "c\n```\n"]
    assert blocks_of("```python\nopen at the end") == ["open at the end"]
    assert blocks_of("no fence") == []
