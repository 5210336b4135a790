"""The mean token, by hand."""

import numpy as np

from eval.commands.retrieval_centre import mean_token


def test_each_passage_counts_alike_and_prefix_and_special_tokens_do_not() -> None:
    def passage(*own: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.array([[99.0]] * 3 + [[value] for value in own] + [[99.0]], dtype=np.float32)

    assert mean_token([passage(1.0, 3.0), passage(10.0), passage()]).tolist() == [6.0]
