"""The embedded in-context model as surrogate and proposer, with the weights that ship."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random
from statistics import fmean

import numpy as np

from agent.search.evidence import evidence
from agent.search.fresh import RandomSearch
from agent.search.incontext import InContext, InContextSearch, embedded_network
from agent.study.nouns import History
from tests.agent.search.spaces import TYPICAL, history, trial
from tests.agent.search.test_search import run
from trainers.space import FloatParameter, Space
from trainers.spec import Config, Direction

PLANE = Space(parameters={n: FloatParameter(low=0.0, high=1.0) for n in ("x", "y")})
WIDE = Space(parameters={f"x{i}": FloatParameter(low=0.0, high=1.0) for i in range(8)})
MAX_BYTES = 25_000_000
MAX_SECONDS = 0.3


def learned(n: int, seed: int = 1) -> InContext:
    """The model after `n` uniform trials of the surface."""
    past = History(direction=Direction.MAXIMIZE, trials=tuple(run(RandomSearch(TYPICAL), n, seed)))
    return InContext(TYPICAL, evidence(TYPICAL, past), np.random.default_rng(0))


def test_forecasts_are_distributions() -> None:
    """Means on the standardised scale, positive spreads, probabilities of failure."""
    found = learned(10).forecast([TYPICAL.default()])
    assert abs(found.mean[0]) < 5.0
    assert 0.0 < found.sd[0] < 5.0
    assert found.improvement[0] >= 0.0
    assert 0.0 <= found.fails[0] <= 1.0


def valley(config: Config) -> float:
    """Best at x = 0.7 and y = 0.3."""
    return -((float(config["x"]) - 0.7) ** 2) - (float(config["y"]) - 0.3) ** 2


def test_the_history_is_read_in_context() -> None:
    """After 24 trials of a function that no name tells of, its forecasts of new configurations follow the function."""
    agreements = []
    for seed in range(4):
        rng = Random(seed)
        trials = [trial(i, c, valley(c)) for i, c in enumerate(PLANE.sample(rng) for _ in range(24))]
        past = History(direction=Direction.MAXIMIZE, trials=tuple(trials))
        model = InContext(PLANE, evidence(PLANE, past), np.random.default_rng(seed))
        new = [PLANE.sample(rng) for _ in range(40)]
        agreements.append(np.corrcoef(model.forecast(new).mean, [valley(c) for c in new])[0, 1])
    assert fmean(agreements) > 0.6


def test_asked_for_a_high_score_it_answers_with_better_configurations() -> None:
    """Candidates for a target beyond the best are better than uniform ones, on average over four histories."""
    asked, uniform = list[float](), list[float]()
    for seed in range(4):
        rng = Random(seed)
        trials = [trial(i, c, valley(c)) for i, c in enumerate(PLANE.sample(rng) for _ in range(20))]
        past = History(direction=Direction.MAXIMIZE, trials=tuple(trials))
        model = InContext(PLANE, evidence(PLANE, past), np.random.default_rng(seed))
        asked += [valley(c) for c in model.candidates(20, np.random.default_rng(seed))]
        uniform += [valley(PLANE.sample(rng)) for _ in range(20)]
    assert fmean(asked) > fmean(uniform)


def test_its_proposals_are_new_and_carry_predictions() -> None:
    """In the units of the score."""
    past = history(TYPICAL, "c" * 8)
    (proposal,) = InContextSearch(TYPICAL).propose(past, 1, 0)
    assert proposal.source == "incontext"
    assert proposal.predicted_mean is not None
    assert proposal.predicted_sd is not None
    assert -1.0 < proposal.predicted_mean < 2.0


def test_the_weights_are_small_enough_for_the_wheel() -> None:
    """At most 25 MB, in bfloat16."""
    directory = Path(embedded_network().directory)
    assert sum(f.stat().st_size for f in directory.iterdir()) <= MAX_BYTES


def test_a_proposal_takes_less_than_the_promised_time_on_one_core() -> None:
    """CPU time, best of five, of one thread, after 25 trials of 8 hyperparameters; in a process of its own."""
    script = (
        "import time\n"
        "from agent.search.incontext import InContextSearch\n"
        "from tests.agent.search.spaces import history\n"
        "from tests.agent.search.test_incontext import WIDE\n"
        "search, past, seconds = InContextSearch(WIDE), history(WIDE, 'c' * 25), []\n"
        "for seed in range(6):\n"
        "    began = time.process_time()\n"
        "    assert search.propose(past, 1, seed)\n"
        "    seconds.append(time.process_time() - began)\n"
        "print(min(seconds[1:]))\n"
    )
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ | threads
    )
    assert float(done.stdout) < MAX_SECONDS
