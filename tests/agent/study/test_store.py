"""What the database promises."""

import math
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.errors import InputError, StoreConflict
from agent.run.schedule import attempt_spec
from agent.study.lock import owner_pid, owning
from agent.study.migrations import STEPS
from agent.study.nouns import EventKind, Phase, Proposal, TrialState
from agent.study.rows import StoreFull
from agent.study.store import Store
from tests.fakes.scripted_executor import ScriptedExecutor
from tools.attempt import Failed, Started
from trainers.spec import CurvePoint, FailureReason

DATABASES = Path(__file__).parents[1] / "schema"


def a_trial(store, lab, trials=4):
    """A study with one waiting trial: the default."""
    study = store.create_study(lab.plan(trials=trials))
    proposal = Proposal(config=lab.SPACE.default(), source="default")
    [trial] = store.add_trials(study.study_id, Phase.SEARCH, [(proposal, 1)])
    return study, trial


def finished(study, trial, attempt_id, score=0.5):
    """The event with which a scripted attempt ends."""
    executor = ScriptedExecutor(lambda config, seed: score)
    executor.submit(attempt_spec(study, trial, attempt_id, False, None))
    return executor.poll(0)[-1]


def test_opening_sets_the_promised_pragmas(store):
    """WAL, full synchronisation, a 30 s wait, foreign keys on, no memory map."""
    values = [
        store._database.conn.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "mmap_size")
    ]
    assert values == ["wal", 2, 30_000, 1, 0]


def test_all_tables_are_strict(store):
    """Every table of ours refuses a value of the wrong type."""
    rows = store.query("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'")
    assert len(rows) == 15
    assert all("STRICT" in row["sql"] for row in rows)


def test_a_study_comes_back_as_it_was_stored(store, lab):
    """Plan, hash, command and directory survive the database."""
    plan = lab.plan(trials=3)
    study = store.create_study(plan, "tunewright run x")
    again = store.study(study.study_id)
    assert again == study == store.studies()[0]
    assert (again.plan, again.plan_hash, again.command) == (plan, plan.plan_hash, "tunewright run x")


def test_an_unready_plan_is_refused(store, lab):
    """A plan with an open question cannot become a study."""
    plan = lab.plan().model_copy(update={"questions": ({"field": "data", "question": "?"},)})
    with pytest.raises(InputError, match="without open questions"):
        store.create_study(plan)


@pytest.mark.parametrize("wrong", ["9", "x", "1 ", "", "1e0"])
def test_an_unknown_study_is_named_with_those_there_are(store, lab, wrong):
    """The message lists the studies of this database."""
    store.create_study(lab.plan())
    store.create_study(lab.plan())
    with pytest.raises(InputError, match=f"no study {wrong!r}; studies here: 1, 2"):
        store.study(wrong)


def test_a_missing_database_is_a_clear_error(tmp_path):
    """Reading where nothing was ever written says so and creates nothing."""
    with pytest.raises(InputError, match="there is no database at"):
        Store.open(tmp_path / "none" / "tunewright.db", read_only=True)
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path):
    """Bytes that are not SQLite's are refused by name, and left alone."""
    path = tmp_path / "tunewright.db"
    path.write_text("this is a note to myself, not a database\n" * 200)
    with pytest.raises(InputError, match="cannot be used: file is not a database"):
        Store.open(path)
    assert path.read_text().startswith("this is a note")


def test_a_read_only_store_reads_and_refuses_to_write(store, lab, tmp_path):
    """Status commands see everything, also while the owner writes, and change nothing."""
    study, trial = a_trial(store, lab)
    with Store.open(tmp_path / "tunewright.db", read_only=True) as reader:
        assert reader.trials(study.study_id) == [trial]
        store.start_attempt(trial.trial_id, "cpu")
        assert reader.trial(trial.trial_id).state is TrialState.RUNNING
        with pytest.raises(StoreConflict, match="readonly"):
            reader.create_study(lab.plan())


def test_a_closed_database_can_be_read(tmp_path, lab):
    """Also when no process has it open and its write-ahead log is gone."""
    with Store.open(tmp_path / "tunewright.db") as store:
        store.create_study(lab.plan())
    assert not (tmp_path / "tunewright.db-wal").exists()
    with Store.open(tmp_path / "tunewright.db", read_only=True) as reader:
        assert [s.study_id for s in reader.studies()] == ["1"]


def test_a_home_that_cannot_be_made_is_a_clear_error(tmp_path):
    """A file where the directory should be."""
    (tmp_path / "home").write_text("")
    with pytest.raises(InputError, match="home must be writable"):
        Store.open(tmp_path / "home" / "tunewright.db")


def test_a_database_of_a_newer_version_is_refused(store, tmp_path):
    """A step this version does not know means: upgrade."""
    with store.tx():
        store.write(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('tunewright', 'm999', '')"
        )
    with pytest.raises(InputError, match=r"newer version \(m999\)"):
        Store.open(tmp_path / "tunewright.db")


def test_eight_processes_can_open_a_new_database_at_once(tmp_path):
    """Every one succeeds and the schema is made once."""
    code = "import sys; from pathlib import Path; from agent.study.store import Store; "
    code += "Store.open(Path(sys.argv[1])).close()"
    path = tmp_path / "home" / "tunewright.db"
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stderr=subprocess.PIPE, text=True) for _ in range(8)
    ]
    assert [(child.communicate()[1], child.returncode) for child in children] == [("", 0)] * 8
    with Store.open(path) as store:
        assert len(store.query("SELECT * FROM _sqlite_migrations")) == len(STEPS)


@pytest.mark.parametrize("path", sorted(DATABASES.glob("*.db")), ids=lambda p: p.stem)
def test_a_database_of_every_released_schema_opens(path, tmp_path):
    """Migrated, its study, trials, curves, events, calls and openings can all be read."""
    copy = tmp_path / "tunewright.db"
    copy.write_bytes(path.read_bytes())
    with Store.open(copy) as store:
        [study] = store.studies()
        assert study.state == "DONE"
        assert len(store.trials("1", Phase.SEARCH)) == 3
        assert set(store.curves("1")) == set(store.results("1")) == {t.trial_id for t in store.trials("1")}
        assert store.events("1")[-1].kind is EventKind.STUDY_ENDED
        [opening] = store.test_openings("1")
        assert set(opening.results) == set(opening.trial_ids)
        assert {row["kind"] for row in store.query("SELECT kind FROM artifacts")} == {"adapter", "report"}
        assert store.balance("1", "wall_seconds") > 0


def test_a_commit_is_seen_by_every_other_connection_at_once(store, lab, tmp_path):
    """What a method acknowledged is in the file, not in this process."""
    study, trial = a_trial(store, lab)
    attempt = store.start_attempt(trial.trial_id, "cpu")
    store.finish_attempt(finished(study, trial, attempt, 0.75))
    other = sqlite3.connect(tmp_path / "tunewright.db")
    assert other.execute("SELECT state, score FROM trials").fetchall() == [("COMPLETE", 0.75)]
    other.close()


def test_a_failed_transaction_leaves_nothing(store, lab):
    """An error in the block takes all of its writes back, those of inner blocks included."""
    study, _ = a_trial(store, lab)

    def half():
        with store.tx():
            store.log_event(study.study_id, EventKind.DEVIATION, None, {"sentence": "x"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert store.events(study.study_id) == []


def test_a_stale_attempt_is_refused(store, lab):
    """A worker that comes back after its trial moved on can change nothing."""
    study, trial = a_trial(store, lab)
    old = store.start_attempt(trial.trial_id, "cpu")
    store.interrupt_attempts(study.study_id)
    new = store.start_attempt(trial.trial_id, "cpu")
    late = [
        lambda: store.finish_attempt(finished(study, trial, old)),
        lambda: store.fail_attempt(Failed(attempt_id=old, reason=FailureReason.NAN, message="x")),
        lambda: store.record_points(old, [CurvePoint(step=1, loss=1.0)]),
        lambda: store.record_started(Started(attempt_id=old, pid=1, load_seconds=0.0)),
        lambda: store.start_attempt(trial.trial_id, "cpu"),
    ]
    for call in late:
        with pytest.raises(StoreConflict):
            call()
    assert store.finish_attempt(finished(study, trial, new, 0.9)).score == 0.9
    with pytest.raises(StoreConflict):
        store.finish_attempt(finished(study, trial, new, 0.1))
    assert store.trial(trial.trial_id).score == 0.9


def test_a_score_that_is_not_finite_never_reaches_the_table(store, lab):
    """Even past the models' own checks it becomes a NAN failure."""
    study, trial = a_trial(store, lab)
    attempt = store.start_attempt(trial.trial_id, "cpu")
    event = finished(study, trial, attempt)
    validation = event.validation.model_copy(update={"score": math.inf})
    ended = store.finish_attempt(event.model_copy(update={"validation": validation}))
    assert (ended.state, ended.reason, ended.score) == (TrialState.FAILED, FailureReason.NAN, None)


def test_a_step_measured_twice_keeps_all_its_values(store, lab):
    """Training loss and validation loss of one step come in two events."""
    _, trial = a_trial(store, lab)
    attempt = store.start_attempt(trial.trial_id, "cpu")
    store.record_points(attempt, [CurvePoint(step=5, loss=2.0), CurvePoint(step=9, loss=1.0)])
    store.record_points(attempt, [CurvePoint(step=5, eval_loss=3.0)])
    [first, second] = store.curves("1")[trial.trial_id]
    assert (first.loss, first.eval_loss, second.step) == (2.0, 3.0, 9)


def test_a_full_disk_is_a_clear_error_and_keeps_the_data(store, lab):
    """SQLite's own limit stands in for the disk; afterwards everything reads, and writes go on with space."""
    study, trial = a_trial(store, lab)
    pages = store.query("PRAGMA page_count")[0]["page_count"]
    store._database.conn.execute(f"PRAGMA max_page_count = {pages}")

    def fill():
        for _ in range(1000):
            store.log_event(study.study_id, EventKind.DEVIATION, None, {"sentence": "x" * 500})

    with pytest.raises(StoreFull, match=r"no space is left for .* then resume"):
        fill()
    n_events = len(store.events(study.study_id))
    assert store.trial(trial.trial_id) == trial
    assert store.query("PRAGMA integrity_check")[0]["integrity_check"] == "ok"
    store._database.conn.execute("PRAGMA max_page_count = 1000000")
    store.log_event(study.study_id, EventKind.DEVIATION, None, {"sentence": "x" * 500})
    assert len(store.events(study.study_id)) == n_events + 1


def test_a_study_with_a_full_disk_stops_and_resumes(store, lab):
    """The run ends with the disk's error; with space again it goes on to its report."""
    study = store.create_study(lab.plan(trials=40))
    pages = store.query("PRAGMA page_count")[0]["page_count"]
    store._database.conn.execute(f"PRAGMA max_page_count = {pages + 8}")
    with pytest.raises(StoreFull):
        lab.run(store, study.study_id)
    kept = [t for t in store.trials("1") if t.state is TrialState.COMPLETE]
    assert 0 < len(kept) < 40
    store._database.conn.execute("PRAGMA max_page_count = 1000000")
    lab.run(store, study.study_id)
    assert [t for t in store.trials("1") if t.trial_id in {k.trial_id for k in kept}] == kept


def test_two_threads_can_write_through_one_store(store, lab):
    """The heartbeat and the loop share a connection; no write is lost or mixed up."""
    study, _ = a_trial(store, lab)

    def write():
        for i in range(50):
            with store.tx():
                store.log_event(study.study_id, EventKind.DEVIATION, None, {"i": i})
                store.log_event(study.study_id, EventKind.DEVIATION, None, {"i": i})

    threads = [threading.Thread(target=write) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    events = store.events(study.study_id)
    assert len(events) == 400
    assert all(a.data == b.data for a, b in zip(events[::2], events[1::2], strict=True))


def test_a_study_has_one_owner(store, lab):
    """A second process is refused with the first one's number, and may go on when that is gone."""
    study = store.create_study(lab.plan())
    code = (
        "import sys; from pathlib import Path; from agent.study.lock import owning\n"
        "with owning(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(study.directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "mine\n"
    assert owner_pid(study.directory) == child.pid
    with pytest.raises(StoreConflict, match=f"is being run by process {child.pid}"):
        lab.run(store, study.study_id)
    assert store.trials("1") == []
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert owner_pid(study.directory) is None
    with owning(study.directory):
        pass


def test_a_cancelled_study_nobody_runs_is_cancelled_at_once(store, lab):
    """There is no process to wait for."""
    store.create_study(lab.plan())
    assert store.request_cancel("1") is None
    assert store.study("1").state == "CANCELLED"


class TrialLife(RuleBasedStateMachine):
    """Random lives of the trials of one study, compared with a plain dictionary after every step."""

    lab = None
    home = None
    serial = 0

    def __init__(self):
        super().__init__()
        TrialLife.serial += 1
        self.store = Store.open(self.home / str(TrialLife.serial) / "tunewright.db")
        self.study = self.store.create_study(self.lab.plan(trials=100))
        self.model: dict[str, list] = {}

    def teardown(self):
        """Close the file."""
        self.store.close()

    def in_state(self, state):
        """Trials the model has in `state`."""
        return sorted(t for t, (s, *_) in self.model.items() if s == state)

    @rule(n=st.integers(1, 3))
    def add(self, n):
        """Some trials are proposed."""
        proposal = Proposal(config=self.lab.SPACE.default(), source="x")
        for trial in self.store.add_trials("1", Phase.SEARCH, [(proposal, 0)] * n):
            self.model[trial.trial_id] = ["WAITING", 0, None]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def start(self, data):
        """One is started; only a waiting one can be."""
        trial = data.draw(st.sampled_from(sorted(self.model)))
        if self.model[trial][0] == "WAITING":
            self.store.start_attempt(trial, "cpu")
            self.model[trial][0], self.model[trial][1] = "RUNNING", self.model[trial][1] + 1
        else:
            with pytest.raises(StoreConflict):
                self.store.start_attempt(trial, "cpu")

    @precondition(lambda self: self.model)
    @rule(
        data=st.data(), attempt=st.integers(0, 2), score=st.floats(-1, 1), how=st.sampled_from(["ok", "bad", "again"])
    )
    def end(self, data, attempt, score, how):
        """An attempt ends; only the running attempt of a running trial may."""
        trial = data.draw(st.sampled_from(sorted(self.model)))
        state, current, _ = self.model[trial]
        attempt_id = f"{trial}-{current - attempt}"

        def end():
            if how == "ok":
                self.store.finish_attempt(finished(self.study, self.store.trial(trial), attempt_id, score))
            else:
                failed = Failed(attempt_id=attempt_id, reason=FailureReason.LOST, message="x")
                self.store.fail_attempt(failed, run_again=how == "again")

        if state == "RUNNING" and attempt == 0:
            end()
            after = {"ok": "COMPLETE", "bad": "FAILED", "again": "WAITING"}[how]
            self.model[trial] = [after, current, score if how == "ok" else None]
        else:
            with pytest.raises(StoreConflict):
                end()

    @rule()
    def crash(self):
        """The owner dies and another takes over."""
        self.store.close()
        self.store = Store.open(self.home / str(TrialLife.serial) / "tunewright.db")
        back = {t.trial_id for t in self.store.interrupt_attempts("1")}
        assert back == set(self.in_state("RUNNING"))
        for trial in back:
            self.model[trial][0] = "WAITING"

    @invariant()
    def same(self):
        """The store agrees with the model."""
        assert {t.trial_id: [t.state, t.attempts, t.score] for t in self.store.trials("1")} == self.model


def test_no_sequence_of_calls_breaks_the_states_of_trials(lab, tmp_path):
    """Hypothesis plays random lives against the store."""
    TrialLife.lab, TrialLife.home = lab, tmp_path
    check = settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(TrialLife, settings=check)
