"""The queue: order, pause, the process that works it off, and what becomes of a study that goes wrong."""

import os
import signal
import time

import pytest

from agent.desk.desk import Desk
from agent.desk.dispatch import MAX_STARTS, STARTING, dispatcher_pid, ensure_dispatcher, work_off
from agent.errors import InputError
from agent.settings import load_settings
from agent.study.lock import owning
from agent.study.nouns import StudyState


@pytest.fixture
def desk():
    """A desk over an empty home."""
    with Desk(load_settings()) as opened:
        yield opened


def queued(desk, lab, n=1):
    """`n` studies whose data do not exist, in the queue."""
    ids = [desk.store.create_study(lab.plan()).study_id for _ in range(n)]
    for study_id in ids:
        desk.store.enqueue(study_id)
    return ids


def test_studies_are_taken_in_the_order_they_were_queued(desk, lab):
    """Also when one is queued again: it keeps its place."""
    first, second = queued(desk, lab, 2)
    desk.store.enqueue(first)
    assert [e.study_id for e in desk.store.queue()] == [first, second]
    assert desk.store.take_next() == first


def test_a_paused_study_keeps_its_place_and_is_not_taken(desk, lab):
    """The next one is; after resuming it is first again."""
    first, second = queued(desk, lab, 2)
    card = desk.pause(first)
    assert (card.state_words, card.paused, card.over) == ("paused", True, True)
    assert desk.store.take_next() == second
    desk.store.enqueue(first)
    assert desk.store.take_next() == first


def test_a_study_that_is_just_starting_can_be_paused(desk, lab):
    """Its process has it already, but not yet its lock: it finds the request and stops."""
    [study] = queued(desk, lab)
    desk.store.take_next()
    desk.pause(study)
    assert desk.store.cancel_requested(study)


def test_a_study_that_got_done_while_it_was_paused_leaves_the_queue(desk, lab):
    """Also by cancelling it, which says that it is done."""
    study = desk.store.create_study(lab.plan(trials=1)).study_id
    lab.run(desk.store, study)
    desk.store.enqueue(study)
    desk.store.pause(study)
    with pytest.raises(InputError, match="done"):
        desk.cancel(study)
    assert desk.store.queue() == []


def test_a_number_left_by_a_start_that_never_was_does_not_block_the_queue(desk, lab):
    """It may be another process's by now."""
    [study] = queued(desk, lab)
    marker = desk.settings.home / "queue" / STARTING
    marker.parent.mkdir(parents=True)
    marker.write_text(str(os.getpid()))
    os.utime(marker, (1, 1))
    assert desk.wait(study, timeout=60).state is StudyState.FAILED


def test_cancelling_a_queued_study_takes_it_off(desk, lab):
    """It never runs, and says so."""
    [study] = queued(desk, lab)
    card = desk.cancel(study)
    assert (card.state, card.over, card.queue_place) == (StudyState.CANCELLED, True, None)
    assert desk.store.take_next() is None


def test_places_in_the_queue_are_told(desk, lab):
    """Next, then numbered."""
    ids = queued(desk, lab, 3)
    assert [desk.status(i).state_words for i in ids] == ["queued, next", "queued, place 2", "queued, place 3"]


def test_a_done_study_is_done_before_it_is_off_the_queue(desk, lab):
    """The moment between the two does not read as waiting."""
    [study] = queued(desk, lab)
    lab.run(desk.store, study)
    card = desk.status(study)
    assert (card.state_words, card.queue_place, card.over) == ("done", None, True)


def test_a_study_that_runs_is_not_counted_as_waiting(desk, lab):
    """The one behind it is next."""
    first, second = queued(desk, lab, 2)
    with owning(desk.study(first).directory):
        assert desk.status(second).state_words == "queued, next"


def test_a_study_that_goes_wrong_does_not_stop_the_queue(desk, lab, capsys):
    """Each is FAILED with its error, and the queue is empty."""
    ids = queued(desk, lab, 2)
    work_off(desk.settings.home)
    cards = [desk.status(i) for i in ids]
    assert [(c.state, c.over, bool(c.error)) for c in cards] == [(StudyState.FAILED, True, True)] * 2
    assert desk.store.queue() == []
    assert dispatcher_pid(desk.settings.home) is None


def test_a_study_whose_process_dies_again_and_again_is_given_up(desk, lab, capsys):
    """After three starts without an end it is FAILED instead of being tried for ever."""
    [study] = queued(desk, lab)
    for _ in range(MAX_STARTS):
        desk.store.take_next()
    work_off(desk.settings.home)
    assert "died 3 times" in desk.status(study).error


def test_one_process_works_the_queue_off(desk, lab, tmp_path):
    """A second one leaves at once and leaves the queue alone."""
    [study] = queued(desk, lab)
    with owning(desk.settings.home / "queue"):
        work_off(desk.settings.home)
        assert [e.study_id for e in desk.store.queue()] == [study]


def test_the_process_starts_by_itself_and_ends_with_the_queue(desk, lab):
    """In a session of its own, so that a closed terminal does not end it."""
    [study] = queued(desk, lab)
    ensure_dispatcher(desk.settings.home)
    deadline = time.monotonic() + 60
    while (pid := dispatcher_pid(desk.settings.home)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert os.getsid(pid) == pid != os.getsid(0)
    assert desk.wait(study, timeout=60).state is StudyState.FAILED
    while dispatcher_pid(desk.settings.home) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_of_the_process_loses_nothing(desk):
    """The running study is resumed, its finished trials are not run again, and the next one follows."""
    planned = desk.plan("classify stdlib:docstrings@300 with MiniLM, 1 trial, 1 epoch")
    ids = [desk.start(planned.card.plan_hash, face="python", key=key).study for key in ("a", "b")]
    assert desk.start(planned.card.plan_hash, face="python", key="a").study == ids[0]
    deadline = time.monotonic() + 400
    while desk.status(ids[0]).trials_over < 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.kill(dispatcher_pid(desk.settings.home), signal.SIGKILL)
    cards = [desk.wait(i, timeout=600) for i in ids]  # waiting starts the process again
    assert [c.state for c in cards] == [StudyState.DONE] * 2
    assert cards[0].finished_at < cards[1].finished_at
    attempts = [a["trial_id"] for a in desk.store.attempts(ids[0]) if a["state"] == "COMPLETE"]
    assert len(attempts) == len(set(attempts))
