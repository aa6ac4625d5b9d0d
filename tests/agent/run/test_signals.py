"""What stops a run from outside."""

import os
import signal
from collections.abc import Iterator

import pytest

from agent.run.carry_out import stopped_by_signals


@pytest.fixture
def listener() -> Iterator[list[int]]:
    """Somebody else who listens for SIGTERM and SIGHUP already, such as a measurement of coverage."""
    heard: list[int] = []
    before = {s: signal.signal(s, lambda number, frame: heard.append(number)) for s in (signal.SIGTERM, signal.SIGHUP)}
    yield heard
    for sign, handler in before.items():
        signal.signal(sign, handler)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_run_whoever_else_listens(listener: list[int], sign: signal.Signals) -> None:
    """As Ctrl-C does; afterwards the other listener has it back."""
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        os.kill(os.getpid(), sign)
    assert listener == []
    os.kill(os.getpid(), sign)
    assert listener == [sign]


def test_an_ignored_signal_stays_ignored(listener: list[int]) -> None:
    """A run under `nohup` outlives its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stopped_by_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert listener == []
