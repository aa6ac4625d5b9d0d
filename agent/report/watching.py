"""Where a study is shown besides the terminal: experiment trackers, a webhook, traces. All off by default.

A study never waits for them. Trackers run in one process of their own, which reads the store; the webhook has a thread.
What fails is told in one line of the study's journal (`EventKind.WATCHER`) and switched off.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from agent.llm import traces
from agent.report.following import FLUSH_SECONDS, FollowJob, TrackerNews
from agent.report.trackers import error_line, require
from agent.report.webhook import WebhookWatcher
from agent.settings import Settings, TrackerName
from agent.study.nouns import EventKind, Observer, Study, StudyEvent
from agent.study.store import Store
from tools.child import kill_group

Trouble = tuple[str, str]
"""The name of a tracker, `webhook` or `traces`, and what is wrong with it in one line without secrets."""

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|^TUNEWRIGHT_", re.IGNORECASE)

OWN_VARIABLES = {
    "tensorboard": (),
    "mlflow": ("MLFLOW_", "DATABRICKS_"),
    "wandb": ("WANDB_",),
    "trackio": ("TRACKIO_", "HF_"),
}
"""Beginnings of the environment variables that hold a tracker's own keys; nobody else's are passed on."""

_ATTEMPT_ENDS = (EventKind.TRIAL_COMPLETE, EventKind.TRIAL_PRUNED, EventKind.TRIAL_FAILED, EventKind.TRIAL_RETRIED)


class Watcher(Protocol):
    """Something that watches a study on its own and never waits before `close`; one that raises is switched off."""

    name: str
    """What it is called in messages."""

    def on_event(self, event: StudyEvent) -> None:
        """See `agent.study.nouns.Observer`."""

    def troubles(self) -> list[Trouble]:
        """What went wrong since the last call."""

    def close(self, until: float) -> None:
        """Finish what is under way, at the latest by `until` (of `time.monotonic`)."""


class Watched:
    """An `Observer`: shows every event to the study's own observer and to its watchers.

    What goes wrong with a watcher becomes a WATCHER event, stored and shown from the study's own thread.
    """

    def __init__(self, observer: Observer, watchers: list[Watcher], store: Store, study_id: str) -> None:
        self._observer, self._watchers = observer, list(watchers)
        self._store, self._study_id = store, study_id

    def on_event(self, event: StudyEvent) -> None:
        """Raises only what the study's own observer raises."""
        broken: list[Trouble] = []
        for watcher in list(self._watchers):
            try:
                watcher.on_event(event)
            except Exception as error:  # whatever fails here must not touch the study
                self._watchers.remove(watcher)
                broken.append((watcher.name, f"failed and is switched off: {error_line(error)}"))
        self._observer.on_event(event)
        self.tell([*broken, *(trouble for watcher in self._watchers for trouble in watcher.troubles())])

    def close(self, seconds: float) -> None:
        """Give the watchers that long, all together, to finish. Never raises: the study is over."""
        until = time.monotonic() + seconds
        for watcher in self._watchers:
            watcher.close(until)
        self.tell_last_troubles()

    def tell_last_troubles(self) -> None:
        """Turn what went wrong since the last call into events, where nobody may be left to see them."""
        with suppress(Exception, SystemExit):  # rich ends the program when its pipe is closed
            for watcher in self._watchers:
                self.tell(watcher.troubles())

    def tell(self, troubles: list[Trouble]) -> None:
        """Store and show troubles; a store that refuses is the study's own business to find."""
        for name, message in troubles:
            data = {"name": name, "message": message}
            try:
                event = self._store.log_event(self._study_id, EventKind.WATCHER, None, data)
            except Exception:
                return
            self._observer.on_event(event)


class TrackerProcess:
    """The study's side of its experiment trackers: starts the process that follows, hears of troubles, ends it in time.

    It needs no events: the process reads the store.
    """

    name = "trackers"

    def __init__(self, places: dict[TrackerName, bool | str], study: Study, database: Path) -> None:
        self._troubles: deque[Trouble] = deque(maxlen=20)
        self._working: set[str] = set(places)
        directory = study.directory / "watch"
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "trackers.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "agent.report.following"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=database.parent,
                env=tracker_environment(*places),
                start_new_session=True,
            )
        job = FollowJob(trackers=places, database=database, study_id=study.study_id, directory=directory)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(job.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()
        self._reader = threading.Thread(target=self._listen, name="watch-trackers", daemon=True)
        self._reader.start()

    def on_event(self, event: StudyEvent) -> None:
        """Nothing: the process reads the store."""

    def troubles(self) -> list[Trouble]:
        """See `Watcher`."""
        return [self._troubles.popleft() for _ in range(len(self._troubles))]

    def close(self, until: float) -> None:
        """Have the rest sent, at the latest by `until` (of `time.monotonic`); then the process is stopped."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            unfinished, self._working = sorted(self._working), set()
            kill_group(self._process, grace_seconds=0.0)
            message = "was not done in time at the end and was stopped; what it has is incomplete"
            self._troubles.extend((name, message) for name in unfinished)
        self._reader.join(1.0)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                news = TrackerNews.model_validate_json(line)
                if news.message:
                    self._troubles.append((news.tracker, news.message))
                if news.last:
                    self._working.discard(news.tracker)
        code = self._process.wait()
        message = f"its process ended with {code}; see watch/trackers.log in the study's directory"
        self._troubles.extend((name, message) for name in sorted(self._working))


class SpanWatcher:
    """A `Watcher` that makes a span of every attempt; also tells of spans that could not be sent."""

    name = "traces"

    def __init__(self) -> None:
        self._began: dict[str | None, StudyEvent] = {}
        self._silent = False

    def on_event(self, event: StudyEvent) -> None:
        """Attempts that end become spans of their stored times."""
        if event.kind is EventKind.ATTEMPT_STARTED:
            self._began[event.trial_id] = event
        if event.kind not in _ATTEMPT_ENDS or (start := self._began.pop(event.trial_id, None)) is None:
            return
        about = {
            "tunewright.trial": int(str(event.trial_id).rpartition("-")[2]),
            "tunewright.attempt": str(start.data["attempt_id"]),
            "tunewright.state": event.kind.removeprefix("trial_").upper(),
            "tunewright.score": event.data.get("score"),
        }
        began, ended = (datetime.fromisoformat(e.at).timestamp() for e in (start, event))
        traces.past_span("trial attempt", about, began, ended, event.data.get("reason"))

    def troubles(self) -> list[Trouble]:
        """See `Watcher`; a collector that is away is told of once."""
        trouble = None if self._silent else traces.trouble()
        self._silent = self._silent or trouble is not None
        return [(self.name, trouble)] if trouble else []

    def close(self, until: float) -> None:
        """Nothing: what waits is sent when the study's own span has ended."""


@contextmanager
def watched(
    observer: Observer, study: Study, store: Store, settings: Settings, flush_seconds: float = FLUSH_SECONDS
) -> Iterator[Observer]:
    """`observer` with the watchers that `settings` switch on; itself where there are none.

    At the end they have `flush_seconds`, all together, to send the rest. A watcher that cannot be opened is told of
    and left out: a study that runs unattended must not fail for it.
    """
    if not settings.watching.any:
        yield observer
        return
    watchers, troubles = _opened(study, settings)
    everyone = Watched(observer, watchers, store, study.study_id)
    spec = study.spec
    about = {"task": spec.task, "base_model": spec.base_model, "metric": spec.objective.metric, "llm": study.plan.llm}
    try:
        with traces.study_span(study.study_id, {f"tunewright.{k}": v for k, v in about.items()}) as span:
            everyone.tell(troubles)
            try:
                yield everyone
            finally:
                with suppress(Exception):  # the store may be what ended the study
                    span.set_attribute("tunewright.state", store.study(study.study_id).state)
                everyone.close(flush_seconds)
    finally:
        traces.flush()
        everyone.tell_last_troubles()


def require_watchers(settings: Settings) -> None:
    """Raises InputError where something that is switched on is not installed; told before there is a study."""
    for name in settings.watching.export.places:
        require(name)
    traces.require(settings.watching.telemetry)


def tracker_environment(*names: TrackerName) -> dict[str, str]:
    """Our environment without keys and tokens, those of the named trackers apart."""
    own = tuple(beginning for name in names for beginning in OWN_VARIABLES[name])
    return {k: v for k, v in os.environ.items() if not _SECRET_NAME.search(k) or k.startswith(own)}


def _opened(study: Study, settings: Settings) -> tuple[list[Watcher], list[Trouble]]:
    """The watchers that could be opened, and what is wrong with the others."""
    watching, watchers, troubles = settings.watching, list[Watcher](), list[Trouble]()

    @contextmanager
    def noted(*names: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            troubles.extend((name, error_line(error)) for name in names)

    places: dict[TrackerName, bool | str] = {}
    for name, place in watching.export.places.items():
        with noted(name):
            require(name)
            places[name] = place
    with noted(*places):
        if places:
            watchers.append(TrackerProcess(places, study, settings.database))
    if watching.webhook is not None:
        watchers.append(WebhookWatcher(watching.webhook, settings.database, study.study_id))
    with noted("traces"):
        if watching.traced:
            traces.use(watching.telemetry)
            watchers.append(SpanWatcher())
    return watchers, troubles
