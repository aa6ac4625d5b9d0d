"""Calls that outlive the patience of a client."""

import threading
import time

import anyio
import pytest

from agent.errors import Busy, InputError
from agent.faces.mcp.work import MAX_AT_ONCE, StillWorking, Work


async def quiet(progress, words):
    """Progress that nobody wants."""


def test_a_call_that_takes_too_long_goes_on_and_its_result_is_got_by_asking_again():
    """It is carried out once; a third call begins anew."""
    gate, begun = threading.Event(), []

    def slow():
        begun.append(1)
        gate.wait(30)
        return len(begun)

    async def script():
        work = Work(patience_seconds=0.1)
        with pytest.raises(StillWorking, match="thinking goes on; call again") as error:
            await work.done("k", slow, "thinking", quiet)
        assert error.value.retryable
        gate.set()
        assert await work.done("k", slow, "thinking", quiet) == 1
        assert await work.done("k", slow, "thinking", quiet) == 2

    anyio.run(script)


def test_the_same_call_twice_at_once_is_carried_out_once():
    """Both get its result."""
    begun, results = [], []

    def slow():
        begun.append(1)
        time.sleep(0.2)
        return "done"

    async def script():
        work = Work()

        async def one():
            results.append(await work.done("k", slow, "it", quiet))

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)

    anyio.run(script)
    assert (begun, results) == ([1], ["done", "done"])


def test_a_call_whose_client_gave_up_goes_on():
    """A cancelled request cancels no work."""
    gate, done = threading.Event(), threading.Event()

    def slow():
        gate.wait(30)
        done.set()

    async def script():
        work = Work()
        with anyio.move_on_after(0.2):
            await work.done("k", slow, "it", quiet)
        gate.set()
        assert await anyio.to_thread.run_sync(done.wait, 10)

    anyio.run(script)


def test_errors_reach_whoever_asks():
    """And are not kept for the next call."""
    answers = iter([InputError("data", "is missing.", "Name it."), None])

    def once():
        if (error := next(answers)) is not None:
            raise error
        return "fine"

    async def script():
        work = Work()
        with pytest.raises(InputError, match="is missing"):
            await work.done("k", once, "it", quiet)
        assert await work.done("k", once, "it", quiet) == "fine"

    anyio.run(script)


def test_too_many_at_once_are_refused():
    """Until some are done."""
    gate = threading.Event()

    async def script():
        work = Work(patience_seconds=0.05)
        for i in range(MAX_AT_ONCE):
            with pytest.raises(StillWorking):
                await work.done(i, lambda: gate.wait(30), "it", quiet)
        with pytest.raises(Busy) as error:
            await work.done("one more", lambda: None, "it", quiet)
        assert error.value.retryable
        gate.set()
        await anyio.sleep(0.1)
        assert await work.done("one more", lambda: "fine", "it", quiet) == "fine"

    anyio.run(script)


def test_progress_is_told_while_it_lasts(monkeypatch):
    """At once and then every so often, always further than before."""
    monkeypatch.setattr("agent.faces.mcp.work.TELL_SECONDS", 0.1)
    told = []

    async def tell(progress, words):
        told.append((progress, words))

    async def script():
        await Work().done("k", lambda: time.sleep(0.5), "reading", tell)

    anyio.run(script)
    assert len(told) >= 3
    assert [p for p, _ in told] == sorted({p for p, _ in told})
    assert told[0][1] == "reading, 0 s"
