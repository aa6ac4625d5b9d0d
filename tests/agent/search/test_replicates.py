"""Running the incumbent again on other seeds."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agent.run.confirm import confirm_candidates
from agent.search.replicates import MAX_RUNS, history_noise, next_replicate
from agent.study.nouns import REPLICATE, EventKind, Phase, TrialState, config_key
from tests.fakes.scripted_executor import ScriptedExecutor

CONFIGS = [{"learning_rate": 10.0**-i, "lora_rank": 8} for i in range(2, 12)]


def test_the_incumbent_runs_again_at_half_time_to_learn_the_noise(lab):
    """Not before half of the budget, and not with a budget too small for a tenth."""
    trials = [lab.trial(i, CONFIGS[i], 0.5 + 0.01 * i) for i in range(5)]
    assert next_replicate(lab.history(*trials[:4]), 10) is None
    again = next_replicate(lab.history(*trials), 10)
    assert (again.config, again.source) == (CONFIGS[4], REPLICATE)
    assert again.why.startswith("trial 4 on another seed")
    assert next_replicate(lab.history(*trials), 9) is None


def test_only_doubt_brings_more(lab):
    """With the noise known, the one of the two best with fewer runs runs again, unless they are far apart."""
    known = [lab.trial(0, CONFIGS[0], 0.80), lab.trial(1, CONFIGS[0], 0.82, source=REPLICATE)]
    close = lab.history(*known, lab.trial(2, CONFIGS[1], 0.815))
    assert next_replicate(close, 40).config == CONFIGS[1]
    far = lab.history(*known, lab.trial(2, CONFIGS[1], 0.30))
    assert next_replicate(far, 40) is None
    assert history_noise(close) is not None


def test_one_at_a_time_and_none_twice_over(lab):
    """Nothing while one is under way; a configuration whose runs are used up, failures included, gets no more."""
    running = lab.trial(6, CONFIGS[4], source=REPLICATE, state=TrialState.RUNNING)
    trials = [lab.trial(i, CONFIGS[i], 0.5 + 0.01 * i) for i in range(5)]
    assert next_replicate(lab.history(*trials, running), 40) is None
    failed = [lab.trial(5 + i, CONFIGS[4], source=REPLICATE) for i in range(2)]
    others = [lab.trial(7 + i, CONFIGS[5] | {"lora_rank": i}, 0.1) for i in range(8)]
    spent = lab.history(*trials, *failed, *others)
    assert next_replicate(spent, 20) is None
    assert next_replicate(spent, 30).config == CONFIGS[3]


@given(seed=st.integers(0, 10_000), sd=st.sampled_from([0.0, 0.01, 0.5]), budget=st.integers(1, 60))
def test_a_tenth_of_the_budget_at_most(lab, seed, sd, budget):
    """Whatever the scores are, replicates stay within their share, and no configuration runs more than three times."""
    rng, trials = Random(seed), []
    while len(trials) < budget:
        again = next_replicate(lab.history(*trials), budget)
        config = again.config if again else {"learning_rate": rng.random(), "lora_rank": 8}
        score = None if rng.random() < 0.1 else config["learning_rate"] + rng.gauss(0.0, sd)
        trials.append(lab.trial(len(trials), config, score, source=again.source if again else "random"))
    made = [t for t in trials if t.proposal.source == REPLICATE]
    assert len(made) <= budget // 10
    keys = [config_key(t.config) for t in trials]
    assert max(keys.count(key) for key in keys) <= MAX_RUNS


def test_a_study_replicates_within_its_budget(store, lab):
    """Replicates have seeds of their own and are no duplicates; confirmation sees each configuration once."""
    noisy = ScriptedExecutor(lambda config, seed: 0.5 + 0.1 * Random(seed).random())
    lab.run(store, store.create_study(lab.plan(trials=30, early_stopping=False)).study_id, noisy)
    search = store.trials("1", Phase.SEARCH)
    made = [t for t in search if t.proposal.source == REPLICATE]
    assert len(search) == 30
    assert 1 <= len(made) <= 3
    assert len({t.seed for t in search}) == 30
    assert all(any(t.config == r.config and t.number < r.number for t in search) for r in made)
    candidates = confirm_candidates(store.history("1"))
    assert len({config_key(t.config) for t in candidates}) == len(candidates) == 3
    refused = store.events("1", kind=EventKind.PROPOSAL_REFUSED)
    assert lab.reported(store, "1").duplicates_avoided == len(refused)
