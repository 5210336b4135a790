"""What an answer will take is read off those that were finished."""

import statistics

import pytest

from rag.queue.estimate import FEWEST_TOKENS, FinishedAnswer, PromptSpeed, WaitEstimate, Work
from tests.support.queue_simulation import RECORDED_SECONDS, relative_errors

SHORT, LONG = Work(prompt_tokens=100), Work(prompt_tokens=400)


def only_wait(durations: WaitEstimate, *running: tuple[Work, float], slots: int = 1) -> float | None:
    return durations.waits_seconds(running, [Work()], slots)[0]


def test_nothing_is_expected_before_a_first_answer() -> None:
    durations = WaitEstimate([])
    assert durations.average_seconds is None
    assert durations.waits_seconds([(SHORT, 1.0)], [SHORT, LONG], slots=1) == [None, None]


def test_each_place_waits_for_those_before_it() -> None:
    durations = WaitEstimate([FinishedAnswer(Work(), 10.0)] * 3)
    waits = durations.waits_seconds([(Work(), 4.0), (Work(), 1.0)], [Work()] * 4, slots=2)
    assert waits == [6.0, 9.0, 16.0, 19.0]


def test_a_free_slot_is_no_wait() -> None:
    durations = WaitEstimate([FinishedAnswer(Work(), 10.0)])
    assert durations.waits_seconds([(Work(), 4.0)], [Work(), Work()], slots=2) == [0.0, 6.0]


def test_longer_prompts_take_longer_where_that_was_seen() -> None:
    # The slope is drawn towards nothing, so the two are a little less far apart than 7 s and 13 s.
    durations = WaitEstimate([FinishedAnswer(SHORT, 7.0), FinishedAnswer(LONG, 13.0)] * 20)
    short, long = only_wait(durations, (SHORT, 0.0)), only_wait(durations, (LONG, 0.0))
    assert short == pytest.approx(7.0, abs=1.0)
    assert long == pytest.approx(13.0, abs=1.0)


def test_thinking_takes_longer_where_that_was_seen() -> None:
    thought = Work(100, thinks=True)
    durations = WaitEstimate([FinishedAnswer(SHORT, 5.0), FinishedAnswer(thought, 25.0)] * 20)
    assert only_wait(durations, (SHORT, 0.0)) == pytest.approx(5.0, abs=2.0)
    assert only_wait(durations, (thought, 0.0)) == pytest.approx(25.0, abs=2.0)


def test_a_late_answer_is_expected_to_last_as_the_late_ones_did() -> None:
    durations = WaitEstimate([FinishedAnswer(Work(), 5.0)] * 9 + [FinishedAnswer(Work(), 50.0)])
    early, late, later = (only_wait(durations, (Work(), elapsed)) for elapsed in (0.0, 10.0, 60.0))
    assert early == pytest.approx(5.0)
    assert late == pytest.approx(40.0)
    assert later == 0.0


def test_a_strange_prompt_is_not_followed_beyond_what_was_seen() -> None:
    durations = WaitEstimate([FinishedAnswer(SHORT, 7.0), FinishedAnswer(LONG, 13.0)] * 20)
    endless = only_wait(durations, (Work(prompt_tokens=1_000_000), 0.0))
    assert endless is not None
    assert endless <= 4.0 * 13.0 * 1.2


@pytest.mark.slow
@pytest.mark.parametrize(("slots", "bar"), [(1, 0.2), (2, 0.25)])
def test_ten_sessions_are_told_the_truth_within_a_quarter(slots: int, bar: float) -> None:
    answers = [(Work(), seconds) for seconds in RECORDED_SECONDS]
    errors = [error for seed in range(3) for error in relative_errors(answers, sessions=10, slots=slots, seed=seed)]
    assert len(errors) > 1000
    assert statistics.median(errors) <= bar


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


def test_a_question_asked_again_and_again_does_not_make_the_machine_look_quick() -> None:
    pace = PromptSpeed()
    prompts = [f"Documents:\n[1] Article {number}\n{'words ' * 80}" for number in range(4)]
    for prompt in prompts:
        pace.learn(600, 6.0, prompt)
    for prompt in prompts * 4:
        pace.learn(600, 0.2, prompt)
    assert pace.tokens_a_second == pytest.approx(100)
