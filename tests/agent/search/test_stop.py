"""Ending a search before its budget is used."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.request.draft import Provenance
from agent.search.stop import enough, expected_improvement
from agent.study.nouns import EventKind, Phase, Proposal, StudyState, TrialState
from tests.fakes.scripted_executor import ScriptedExecutor


def config(i):
    """A configuration of its own for each trial."""
    return {"learning_rate": 1e-3 * (1 + i), "lora_rank": 8}


def late(lab, n=12, mean=0.5, sd=0.001, **last):
    """`n` trials of a search whose best came early; the proposer expects `mean` of all."""
    scores = [0.9 if i == 3 else 0.5 + 0.01 * i for i in range(n)]
    trials = [lab.trial(i, config(i), scores[i], mean=mean, sd=sd) for i in range(n)]
    if last:
        trials[-1] = lab.trial(n - 1, config(n - 1), **({"mean": mean, "sd": sd} | last))
    return lab.history(*trials)


def test_it_ends_when_three_proposals_promise_nothing(lab):
    """The reason names what was promised, and against what."""
    why = enough(late(lab), dimensions=2, trials_budget=20)
    assert "the last 3 proposals promised at most 0 over the best configuration's 0.9" in why
    assert "spread" in why


@pytest.mark.parametrize(
    ("n", "dimensions", "budget"),
    [(9, 2, 12), (12, 7, 20), (12, 2, 25)],
    ids=["too few trials", "too many dimensions", "first half"],
)
def test_it_does_not_end_early_in_a_search(lab, n, dimensions, budget):
    """At least ten trials, two for each free hyperparameter, and half of the budget."""
    assert enough(late(lab, n), dimensions, budget) is None


@pytest.mark.parametrize(
    "last",
    [
        {"score": 0.5, "mean": None},
        {"score": 0.5, "mean": 0.95},
        {"score": 0.5, "sd": 1.0},
        {"score": 0.95},
        {"state": TrialState.RUNNING, "mean": 0.95},
    ],
    ids=["no prediction", "better", "uncertain", "was better", "under way"],
)
def test_one_reason_to_go_on_is_enough(lab, last):
    """A proposal that may be better, that nobody could predict, or that was better than predicted."""
    assert enough(late(lab, **last), 2, 20) is None


def test_known_noise_is_the_measure(lab):
    """A promise of less than a tenth of the noise ends the search where the spread alone would not."""
    promising = late(lab, mean=0.9, sd=0.01)
    assert enough(promising, 2, 20) is None
    again = lab.trial(12, config(3), 0.7, source="replicate")
    noisy = lab.history(*promising.trials, again, lab.trial(13, config(3), 1.1, source="replicate"))
    assert "noise sd" in enough(noisy, 2, 20)


@given(mean=st.floats(-5, 5), sd=st.floats(0, 5), best=st.floats(-5, 5))
@example(mean=0.0, sd=2.2250738585e-313, best=1.0)
@example(mean=1.0, sd=2.2250738585e-313, best=0.0)
def test_expected_improvement_has_its_bounds(mean, sd, best):
    """Never negative, never less than the expected gain, and the same seen from either direction."""
    found = expected_improvement(mean, sd, best, maximize=True)
    assert found >= max(mean - best, 0.0) - 1e-9
    assert found == pytest.approx(expected_improvement(-mean, sd, -best, maximize=False), abs=1e-12)


class Sure:
    """Proposes at random, with a prediction that nothing will come of it."""

    name = "sure"

    def __init__(self, lab):
        self._random = lab.RandomProposer()

    def propose(self, history, n, seed):
        """As `RandomProposer`, with predictions."""
        update = {"predicted_mean": 0.0, "predicted_sd": 1e-6}
        return [Proposal(**(p.model_dump() | update)) for p in self._random.propose(history, n, seed)]


def falling(lab):
    """An executor on which trial 0 was the best."""
    return ScriptedExecutor(
        lambda config, seed: 0.9 if config == lab.SPACE.default() else lab.objective(config, seed) / 3
    )


def test_a_study_says_what_it_saved(store, lab):
    """The search ends, confirmation and report follow, and the trials left over are told."""
    outcome = lab.run(store, store.create_study(lab.plan(trials=40)).study_id, falling(lab), Sure(lab))
    assert outcome.state is StudyState.DONE
    n = len(store.trials("1", Phase.SEARCH))
    assert 20 <= n < 25
    [stopped] = store.events("1", kind=EventKind.SEARCH_STOPPED)
    assert stopped.data["trials_unspent"] == 40 - n
    [sentence] = [s for s in lab.reported(store, "1").deviations if "unspent" in s]
    assert sentence.startswith(f"The search left {40 - n} of its 40 trials unspent: the last 3 proposals promised")


@pytest.mark.parametrize("said", [{"early_stopping": False}, {"trials": "user"}])
def test_the_users_word_is_kept(store, lab, said):
    """A spec that forbids it, or trials that the user asked for, are carried out in full."""
    plan = lab.plan(trials=24, **({} if "trials" in said else said))
    if "trials" in said:
        said_so = Provenance(source="user", quote="24 trials")
        plan = plan.model_copy(update={"provenance": {"budget.trials": said_so}})
    lab.run(store, store.create_study(plan).study_id, falling(lab), Sure(lab))
    assert len(store.trials("1", Phase.SEARCH)) == 24


def test_what_was_found_enough_stays_so_after_a_restart(store, lab):
    """Cancelled right after the decision, the resumed study proposes nothing more and says it once."""

    class Canceller(lab.Recorder):
        def on_event(self, event):
            if event.kind is EventKind.ENOUGH_FOUND:
                store.request_cancel("1")

    study = store.create_study(lab.plan(trials=40, parallel_trials=3))
    executor = ScriptedExecutor(falling(lab)._objective, slots=3)
    lab.run(store, study.study_id, executor, Sure(lab), observer=Canceller())
    n = len(store.trials("1", Phase.SEARCH))
    lab.run(store, study.study_id, falling(lab))
    assert len(store.trials("1", Phase.SEARCH)) == n < 40
    assert len(store.events("1", kind=EventKind.ENOUGH_FOUND)) == 1
    assert len([s for s in lab.reported(store, "1").deviations if "unspent" in s]) == 1
