"""How fast prompts are read, learnt from answers."""

import pytest

from rag.queue.prompt_speed import FEWEST_TOKENS, PromptSpeed


def learnt(*pace: float) -> PromptSpeed:
    found = PromptSpeed()
    for one in pace:
        found.learn(100, 100 / one)
    return found


def test_nothing_is_cut_before_the_pace_is_known() -> None:
    assert learnt(1, 1, 1).tokens_a_second is None
    assert learnt(1, 1, 1).affordable_tokens(1.0, unknown=480, most=3000) == 480
    assert learnt(1, 1, 1).affordable_tokens(1.0, unknown=480, most=200) == 200


@pytest.mark.parametrize(
    ("pace", "tokens"), [(1.0, FEWEST_TOKENS), (30.0, 400), (60.0, 480), (100.0, 800), (1000.0, 3000)]
)
def test_seconds_become_tokens_within_bounds(pace: float, tokens: int) -> None:
    assert learnt(*[pace] * 4).affordable_tokens(8.0, unknown=480, most=3000) == tokens


def test_whoever_sets_fewer_gets_fewer() -> None:
    assert learnt(*[1.0] * 4).affordable_tokens(8.0, unknown=480, most=64) == 64


def test_answers_whose_prompt_was_read_from_its_beginning_do_not_count() -> None:
    assert learnt(40, 10, 40, 10, 40, 10).tokens_a_second == pytest.approx(40)


def test_only_the_last_answers_count_and_nonsense_does_not() -> None:
    pace = learnt(*[10.0] * 30, *[80.0] * 16)
    pace.learn(0, 1.0)
    pace.learn(100, 0.0)
    assert pace.tokens_a_second == pytest.approx(80)
