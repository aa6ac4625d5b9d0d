"""The benchmark of polling: what its estimate is worth."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.faces.http.polling.bench_polling import Pair, estimate, factor, whole_factor
from agent.faces.http.polling.pollers import Seen

SEEN = Seen(requests=1, errors=0, p50_ms=1, p95_ms=1, p99_ms=1, cpu_seconds=0)


def runs(slower, second_run=1.0, noise=0.0, n=28):
    """Seconds of the stretches of two runs: polled ones take `slower` as long, the whole second run `second_run`."""
    random = Random(1)
    true = [0.5 + random.random() for _ in range(n)]

    def run(parity, pace):
        return [
            seconds * pace * (slower if number % 2 == parity else 1.0) * math.exp(random.gauss(0, noise))
            for number, seconds in enumerate(true)
        ]

    return run(1, 1.0), run(0, second_run)


@given(st.floats(0.9, 1.3), st.floats(0.5, 2.0))
def test_the_factor_is_found_whatever_the_pace_of_either_run(slower, second_run):
    """A machine that became slower between the runs does not count."""
    assert factor(*runs(slower, second_run)) == pytest.approx(slower)
    assert whole_factor(*runs(slower, second_run)) == pytest.approx(slower)


def test_the_whole_knows_of_a_stall_that_the_median_does_not():
    """One stretch of many took very long."""
    first, second = runs(1.0, n=28)
    first[5] += 10.0
    assert factor(first, second) == pytest.approx(1.0)
    assert whole_factor(first, second) > 1.1


def test_noise_of_single_stretches_averages_out():
    """Ten percent of noise a stretch leaves a few percent a pair."""
    assert factor(*runs(1.05, noise=0.1, n=200)) == pytest.approx(1.05, abs=0.03)


def test_the_estimate_is_the_geometric_mean_of_its_kind():
    """With an interval around it."""

    def pair(kind, value):
        return Pair(
            kind=kind, seed=0, factor=value, whole_factor=value, seconds=1, server_cpu_seconds=0, polls=(SEEN, SEEN)
        )

    found = estimate([pair("server", 1.0), pair("server", 1.21), pair("nothing", 3.0)], "server")
    assert found.factor == pytest.approx(1.1)
    assert found.pairs == 2
    assert found.low < 1.1 < found.high
