"""A tracker is told every step of every trial once and in order, across interruptions and its own failures."""

import pytest

from agent.report.following import Cursor, Follower
from agent.report.trackers import study_run, trial_run
from agent.study.nouns import EventKind, StudyState
from tests.fakes.scripted_executor import ScriptedExecutor
from tools.attempt import Failed, Started
from trainers.spec import CurvePoint, FailureReason


class Recording:
    """A tracker that keeps what it is told; fails as often as `failures` says."""

    def __init__(self, live=True, failures=0):
        self.live, self.failures, self.told, self.closed = live, failures, [], False

    def begin(self, run):
        """Keep it."""
        self.told.append(("begin", run.key))

    def points(self, run, points):
        """Keep the steps."""
        self.told.append(("points", run.key, tuple(p.step for p in points)))

    def end(self, run, trial, last_step):
        """Keep it, unless it is to fail."""
        if self.failures:
            self.failures -= 1
            raise OSError("the tracker is away")
        self.told.append(("end", run.key, trial.state.value, trial.score, last_step))

    def finish(self, result):
        """Keep the verdict."""
        self.told.append(("finish", result.verdict))

    def close(self):
        """Note it."""
        self.closed = True


@pytest.fixture
def study(lab, store):
    """A study that has not begun."""
    return store.create_study(lab.plan(trials=2))


@pytest.fixture
def follow(store, study, tmp_path):
    """`follow(tracker)`: a follower of the study, as a process that starts now has it."""

    def follower(tracker):
        file = tmp_path / "cursor.json"
        cursor = Cursor.model_validate_json(file.read_text()) if file.exists() else Cursor()
        return Follower(store, study, tracker, file, cursor)

    return follower


@pytest.fixture
def running(lab, store, study):
    """An attempt under way; gives its id."""
    from agent.study.nouns import Phase, Proposal

    store.add_trials(study.study_id, Phase.SEARCH, [(Proposal(config={"lora_rank": 8}, source="default"), 1)])
    return start(store, study)


def start(store, study):
    """Begin an attempt at trial 0."""
    attempt = store.start_attempt(f"{study.study_id}-0", "cpu")
    store.record_started(Started(attempt_id=attempt, pid=1, load_seconds=0.0))
    store.log_event(study.study_id, EventKind.ATTEMPT_STARTED, f"{study.study_id}-0", {"attempt_id": attempt})
    return attempt


def progress(store, study, attempt, *points):
    """Points are stored and the last is told, as the scheduler does it."""
    store.record_points(attempt, points)
    store.log_event(study.study_id, EventKind.PROGRESS, f"{study.study_id}-0", {"step": points[-1].step})


def point(step, **values):
    """A point with a loss."""
    return CurvePoint(step=step, loss=1.0 / step, **values)


def test_a_live_curve_holds_its_latest_step_back(store, study, running, follow):
    """More may be measured at it: the validation loss comes after the loss of the same step."""
    tracker = Recording()
    follower = follow(tracker)
    progress(store, study, running, point(1), point(2), point(3))
    follower.catch_up()
    progress(store, study, running, point(3, eval_loss=0.5), point(4))
    follower.catch_up()
    steps = [told[2] for told in tracker.told if told[0] == "points"]
    assert steps == [(1, 2), (3,)]


def test_the_end_tells_the_rest_of_the_curve_then_the_score(lab, store, study, follow):
    """Every stored step is told, also those that no PROGRESS event spoke of."""
    tracker = Recording()
    lab.run(store, study.study_id, ScriptedExecutor(lab.objective))
    follow(tracker).catch_up()
    for trial in store.trials(study.study_id):
        key = trial_run(study_run(study), trial).key
        steps = [step for told in tracker.told if told[:2] == ("points", key) for step in told[2]]
        assert steps == [1, 2, 3]
        assert ("end", key, "COMPLETE", trial.score, 3) in tracker.told
    assert [told[1] for told in tracker.told if told[0] == "begin"] == [
        trial_run(study_run(study), t).key for t in store.trials(study.study_id)
    ]


def test_a_trial_that_runs_again_goes_on_in_its_run(store, study, running, follow):
    """The steps that an interrupted attempt had told are not told again: it has the same seed and the same curve."""
    first = Recording()
    progress(store, study, running, point(1), point(2), point(3))
    follow(first).catch_up()
    store.interrupt_attempts(study.study_id)
    again = start(store, study)
    second = Recording()
    follower = follow(second)
    progress(store, study, again, point(1), point(2))
    follower.catch_up()
    progress(store, study, again, point(3), point(4), point(5))
    follower.catch_up()
    key = trial_run(study_run(study), store.trial(f"{study.study_id}-0")).key
    assert first.told == [("begin", key), ("points", key, (1, 2))]
    assert second.told == [("begin", key), ("points", key, (3, 4))]


def test_a_process_that_starts_later_repeats_nothing(lab, store, study, follow):
    """The cursor in the study's directory says what was told."""
    lab.run(store, study.study_id, ScriptedExecutor(lab.objective))
    follow(Recording()).catch_up()
    later = Recording()
    follow(later).catch_up()
    assert later.told == []


def test_what_fails_is_told_again(lab, store, study, follow):
    """A tracker that comes back gets everything, each trial's end once."""
    tracker = Recording(failures=2)
    follower = follow(tracker)
    lab.run(store, study.study_id, ScriptedExecutor(lab.objective))
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            follower.catch_up()
    follower.catch_up()
    ends = [told[1] for told in tracker.told if told[0] == "end"]
    assert ends == [trial_run(study_run(study), t).key for t in store.trials(study.study_id)]
    steps = [step for told in tracker.told if told[0] == "points" for step in told[2]]
    assert len(steps) == 3 * len(ends)


def test_a_tracker_that_is_not_live_hears_of_trials_when_they_end(store, study, running, follow):
    """Nothing while one runs; then all at once."""
    tracker = Recording(live=False)
    follower = follow(tracker)
    progress(store, study, running, point(1), point(2))
    follower.catch_up()
    assert tracker.told == []
    failed = Failed(attempt_id=running, reason=FailureReason.OOM_GPU, message="a row of the data", seconds=1.0)
    store.fail_attempt(failed)
    store.log_event(study.study_id, EventKind.TRIAL_FAILED, f"{study.study_id}-0", {"reason": "OOM_GPU"})
    follower.catch_up()
    assert [told[0] for told in tracker.told] == ["begin", "points", "end"]


def test_the_result_is_told_when_the_study_is_done(carry_out, store, study, follow):
    """The report's verdict, once."""
    tracker = Recording()
    carry_out(study.study_id)
    assert store.study(study.study_id).state is StudyState.DONE
    follow(tracker).catch_up()
    assert tracker.told[-1][0] == "finish"
    assert "default" in tracker.told[-1][1]


def test_a_report_that_is_gone_does_not_matter(lab, store, study, follow):
    """The trials are told all the same."""
    tracker = Recording()
    lab.run(store, study.study_id, ScriptedExecutor(lab.objective))
    (study.directory / "output" / "report.json").unlink()
    follow(tracker).catch_up()
    assert tracker.told[-1][0] == "end"


def test_runs_of_different_homes_have_different_keys(lab, store, tmp_path):
    """Two studies numbered 1 may end up in one project."""
    from agent.study.store import Store

    with Store.open(tmp_path / "other" / "tunewright.db") as other:
        ours, theirs = store.create_study(lab.plan(trials=2)), other.create_study(lab.plan(trials=3))
    assert ours.study_id == theirs.study_id
    assert study_run(ours).key != study_run(theirs).key
    assert study_run(ours).key == study_run(store.study(ours.study_id)).key
