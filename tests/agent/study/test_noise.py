"""What a score is worth once its noise is known; and what histories make of it."""

from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.study.noise import noise_sd, posterior_means
from agent.study.nouns import Rung, TrialState
from trainers.spec import Direction

scores = st.floats(-5.0, 5.0)
runs = st.lists(st.lists(scores, min_size=1, max_size=4), min_size=1, max_size=8)


def test_the_noise_is_pooled_over_replicated_configurations():
    """Configurations run once tell nothing; before any is repeated there is no noise to speak of."""
    assert noise_sd([[1.0], [3.0]]) is None
    assert noise_sd([[1.0, 3.0], [10.0, 10.0], [99.0]]) == pytest.approx(1.0)


@given(runs)
def test_means_are_pulled_towards_each_other_and_never_past(found):
    """Each posterior mean lies between the configuration's own mean and the common one."""
    common, shrunk = fmean(fmean(scores) for scores in found), posterior_means(found)
    for own, mean in zip((fmean(scores) for scores in found), shrunk, strict=True):
        assert min(own, common) - 1e-9 <= mean <= max(own, common) + 1e-9


def test_a_lucky_single_run_does_not_beat_a_proven_configuration():
    """With a noise of 0.1, one run of 0.93 counts for less than three around 0.9."""
    lucky, proven = [0.93], [0.8, 0.9, 1.0]
    order = posterior_means([lucky, proven, [0.7], [0.72]])
    assert order[1] > order[0] > order[3] > order[2]


def test_shrinking_finds_the_best_more_often_than_the_maximum():
    """20 configurations with spread 1 and noise 1, four of them run three times: simulated, paired."""
    rng, ours, theirs = Random(3), 0.0, 0.0
    for _ in range(300):
        worths = [rng.gauss(0.0, 1.0) for _ in range(20)]
        found = [[w + rng.gauss(0.0, 1.0) for _ in range(3 if i < 4 else 1)] for i, w in enumerate(worths)]
        shrunk = posterior_means(found)
        ours += worths[max(range(20), key=lambda i: shrunk[i])]
        theirs += worths[max(range(20), key=lambda i: max(found[i]))]
    assert ours > theirs


def test_replicates_count_as_one_configuration(lab):
    """The incumbent is the best in expectation, not the luckiest run; models see one row with the mean."""
    one, two = {"learning_rate": 1e-3, "lora_rank": 8}, {"learning_rate": 1e-4, "lora_rank": 8}
    seen = lab.history(
        lab.trial(0, one, 0.80),
        lab.trial(1, two, 0.90),
        lab.trial(2, two, 0.60, source="replicate"),
    )
    assert seen.best.number == 0
    assert seen.mean_score(two) == pytest.approx(0.75)
    assert seen.imputed() == [(one, 0.80), (two, pytest.approx(0.75))]


@pytest.mark.parametrize("direction", Direction)
def test_failed_and_pruned_trials_stand_in_the_worse_part(lab, direction):
    """A failed one near the worst, a pruned one where the worst third begins, one under way nowhere."""
    sign = 1.0 if direction is Direction.MAXIMIZE else -1.0
    done = [lab.trial(i, {"lora_rank": 4, "learning_rate": 10.0**-i}, sign * i) for i in range(7)]
    failed, pruned = {"lora_rank": 8}, {"lora_rank": 16}
    seen = lab.history(
        *done,
        lab.trial(7, failed),
        lab.trial(8, pruned, rung=Rung(share=1 / 3, step=30, eval_loss=9.0)),
        lab.trial(9, {"lora_rank": 32}, state=TrialState.RUNNING),
        direction=direction,
    )
    assert seen.imputed()[7:] == [(failed, 0.0), (pruned, sign * 2.0)]
    assert seen.best.number == 6
