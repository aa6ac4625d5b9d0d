"""The one protocol of everything that runs attempts: worker processes on this machine now, a Ray cluster later."""

from typing import Protocol

from tools.attempt import AttemptSpec, Event
from trainers.spec import Closed


class Slot(Closed):
    """Room for one attempt at a time."""

    name: str
    device: str


class Executor(Protocol):
    """Runs attempts out of this process. JSON only; no closures; nothing it runs can reach the store or a key."""

    def capacity(self) -> list[Slot]:
        """Slots that exist, busy or not."""

    def submit(self, spec: AttemptSpec) -> None:
        """Start an attempt on a free slot; submitting the same attempt_id twice is an error."""

    def poll(self, timeout_seconds: float) -> list[Event]:
        """Events since the last call, waiting up to `timeout_seconds` for the first.

        Every submitted attempt ends in exactly one `Finished` or `Failed`, also when its process dies (LOST), runs
        over its timeout (TIMEOUT) or makes no progress (HANG).
        """

    def cancel(self, attempt_id: str, grace_seconds: float = 5.0) -> None:
        """Stop an attempt: ask, then kill its process group. Its `Failed` event has reason PREEMPTED."""

    def close(self) -> None:
        """Stop everything and leave no process behind."""
