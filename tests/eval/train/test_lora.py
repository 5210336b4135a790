"""A few steps on a model of chance: the loss falls, and a training that was interrupted ends as one that was not."""

from pathlib import Path

import numpy as np
import pytest

from eval.train.lora import BEST, LoraOptions, TokenExample, read_parameters, read_state, steps_of, train
from eval.train.weights import load_model
from rag.ollama.gguf import read_header
from tests.support.small_models import write_tunable_model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")]

EXAMPLES = [TokenExample((1, 2, 3, number), (4, 5, 6)) for number in range(8)]
CHECKS = [TokenExample((1, 2, 3, 20), (4, 5, 6))]
OPTIONS = LoraOptions(epochs=4, learning_rate=0.02, batch=4, keep_every=1, patience=20)


class Interrupted(Exception):
    """Ends a training in its midst."""


def test_the_reply_is_learnt_and_the_best_adapter_kept(tmp_path: Path) -> None:
    model = load_model(read_header(write_tunable_model(tmp_path / "m.gguf")))
    seen = []
    state = train(model, EXAMPLES, CHECKS, tmp_path / "run", OPTIONS, seen.append)
    assert (state.step, state.over) == (steps_of(8, OPTIONS), True) == (8, True)
    assert state.losses[-1] < 0.6 * state.losses[0]
    assert state.best_loss is not None and state.best_loss < state.checked[0][1]
    assert [one.step for one in seen] == list(range(1, 9))
    assert (seen[-1].tokens, seen[-1].all_tokens, seen[-1].seconds_left) == (8 * 7 * 4, 8 * 7 * 4, 0.0)
    factors = read_parameters(tmp_path / "run" / BEST)
    assert len(factors) == 2 * 2 * 4  # A and B, two layers, four matrices
    assert all(one.dtype == np.float32 for one in factors.values())


def test_an_interrupted_training_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    path = write_tunable_model(tmp_path / "m.gguf")
    train(load_model(read_header(path)), EXAMPLES, CHECKS, tmp_path / "whole", OPTIONS)

    def interrupt(progress: object) -> None:
        if read_state(tmp_path / "cut").step == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(load_model(read_header(path)), EXAMPLES, CHECKS, tmp_path / "cut", OPTIONS, interrupt)
    assert not read_state(tmp_path / "cut").over
    state = train(load_model(read_header(path)), EXAMPLES, CHECKS, tmp_path / "cut", OPTIONS)
    assert state.losses == read_state(tmp_path / "whole").losses
    whole, cut = (read_parameters(tmp_path / name / BEST) for name in ("whole", "cut"))
    assert all(np.array_equal(whole[name], cut[name]) for name in whole)


def test_training_stops_where_nothing_gets_better(tmp_path: Path) -> None:
    model = load_model(read_header(write_tunable_model(tmp_path / "m.gguf")))
    others = [TokenExample((1, 2, 3, 20), (9, 8, 7))]
    state = train(model, EXAMPLES, others, tmp_path / "run", LoraOptions(epochs=40, learning_rate=0.05, batch=4))
    assert state.stopped_early
    assert state.step < steps_of(8, LoraOptions(epochs=40, batch=4))
