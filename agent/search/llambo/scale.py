"""Scores as grades, so that a model sees one scale whatever the metric, its direction and its range.

A grade of 50 is the median of the complete trials, 70 the best one; 0 and 100 are the ends. Rates are put on the logit
scale first (from 0.98 to 0.99 is as far as from 0.96 to 0.98). Nothing is clamped to [0, 1]: losses, perplexities and
negative scores are as good as accuracies.
"""

import math
from statistics import median

from agent.study.nouns import History
from trainers.spec import Metric

MEDIAN_GRADE, BEST_GRADE, LAST_GRADE = 50.0, 70.0, 100.0
FIRST_REACH, LAST_REACH, REACH_TRIALS = 0.2, 0.05, 20
"""How far beyond the best a target lies, in widths of the good quartile: less and less over so many trials. Asking for
more than can be had gives extreme configurations (LLAMBO's alpha, which its authors use with both signs)."""

RATES = (
    Metric.ACCURACY,
    Metric.F1_MACRO,
    Metric.F1_WEIGHTED,
    Metric.EXACT_MATCH,
    Metric.REWARD_ACCURACY,
    Metric.WIN_RATE,
)
_EDGE = 1e-4


class Scale:
    """The grades of one history; needs at least one complete trial."""

    def __init__(self, history: History, metric: Metric | None) -> None:
        scores = [t.score for t in history.complete if t.score is not None]
        if not scores:
            raise ValueError("a scale needs at least one complete trial")
        self._sign = history.direction.sign
        self._rate = metric in RATES and all(0.0 <= s <= 1.0 for s in scores)
        better = sorted(self._oriented(s) for s in scores)
        self._median, best = median(better), better[-1]
        self._best = best
        gap = best - self._median
        self._step = (gap if gap > 0 else max(abs(best), 1.0) * 0.1) / (BEST_GRADE - MEDIAN_GRADE)
        self._good = [self._grade(v) for v in better[-max(1, len(better) // 4) :]]
        self._n = len(scores)

    def grade(self, score: float) -> float:
        """The grade of a score, 0 to 100."""
        return self._grade(self._oriented(score))

    def score(self, grade: float) -> float:
        """The score that has this grade."""
        value = self._best + (grade - BEST_GRADE) * self._step
        value *= self._sign
        return 1.0 / (1.0 + math.exp(-max(min(value, 30.0), -30.0))) if self._rate else value

    def target(self) -> float:
        """A grade worth asking for: beyond the best by a share of the good quartile's width, at least 1."""
        reach = max(LAST_REACH, FIRST_REACH - (FIRST_REACH - LAST_REACH) * self._n / REACH_TRIALS)
        width = BEST_GRADE - min([*self._good, MEDIAN_GRADE])
        return min(BEST_GRADE + max(1.0, reach * width), LAST_GRADE)

    def is_good(self, score: float) -> bool:
        """Whether a score is in the best quarter."""
        return self.grade(score) >= min(self._good)

    def _oriented(self, score: float) -> float:
        if self._rate:
            inside = min(max(score, _EDGE), 1.0 - _EDGE)
            score = math.log(inside / (1.0 - inside))
        return self._sign * score

    def _grade(self, value: float) -> float:
        return min(max(BEST_GRADE + (value - self._best) / self._step, 0.0), LAST_GRADE)
