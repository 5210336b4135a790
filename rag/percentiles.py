"""Times of many questions as three numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds, by linear interpolation between the two nearest ranks (numpy's default); None without a sample."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Percentiles":
        """Compute them; the empty case has n 0 and no numbers."""
        if not values:
            return cls(n=0, p50=None, p95=None, p99=None)
        p50, p95, p99 = (round(float(value), 1) for value in np.percentile(values, [50, 95, 99]))
        return cls(n=len(values), p50=p50, p95=p95, p99=p99)
