"""Probabilities and their logits, the two scales between which every calibration goes back and forth."""

import math

SMALLEST = 1e-6
"""A probability is kept so far from 0 and 1 before its logit is taken: what said "never" can still be weighed."""


def logistic(logit: float) -> float:
    """Return the probability in [0, 1] of a logit, without overflow.

    >>> logistic(0.0), logistic(-1000.0)
    (0.5, 0.0)
    """
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def logit_of(probability: float) -> float:
    """Return the logit of a probability in [0, 1]; finite for 0 and 1 as well.

    >>> round(logit_of(0.75), 4), round(logit_of(0.0), 1)
    (1.0986, -13.8)
    """
    kept = min(max(probability, SMALLEST), 1 - SMALLEST)
    return math.log(kept / (1 - kept))
