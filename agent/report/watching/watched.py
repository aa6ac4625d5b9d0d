"""Composes the observer of a study with everything that watches from outside, so that these cannot disturb it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from agent.llm import traces
from agent.report.watching.export_process import FLUSH_SECONDS
from agent.report.watching.exporting import ExportProcess
from agent.report.watching.in_thread import said
from agent.report.watching.study_spans import SpanWatcher
from agent.report.watching.tracker import require
from agent.report.watching.webhook import webhook_watcher
from agent.settings import Settings, TrackerName
from agent.study.nouns import EventKind, Observer, Study, StudyEvent

if TYPE_CHECKING:
    from agent.study.store import Store


class Watcher(Protocol):
    """Something that watches a study on its own; never raises and never waits before `close`."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def on_event(self, event: StudyEvent) -> None:
        """See `agent.study.nouns.Observer`."""
        ...

    def troubles(self) -> list[str]:
        """What went wrong since the last call, a sentence each, without secrets."""
        ...

    def close(self, until: float) -> None:
        """Finish what is under way, at the latest by `until` (of `time.monotonic`)."""
        ...


class Watched:
    """An `Observer`: shows every event to the study's own observer and to its watchers.

    What goes wrong with a watcher becomes a WATCHER event, stored and shown from the study's own thread.
    """

    def __init__(self, observer: Observer, watchers: list[Watcher], store: "Store", study_id: str) -> None:
        self._observer, self._watchers = observer, watchers
        self._store, self._study_id = store, study_id

    def on_event(self, event: StudyEvent) -> None:
        """Raises only what the study's own observer raises."""
        for watcher in self._watchers:
            watcher.on_event(event)
        self._observer.on_event(event)
        self.tell_troubles()

    def close(self, seconds: float) -> None:
        """Give the watchers that long, all together, to finish. Never raises: the study is over."""
        until = time.monotonic() + seconds
        for watcher in self._watchers:
            watcher.close(until)
        self.tell_last_troubles()

    def tell_last_troubles(self) -> None:
        """The same as `tell_troubles`, where nobody may be left to be told."""
        with suppress(Exception, SystemExit):  # rich ends the program when its pipe is closed
            self.tell_troubles()

    def tell_troubles(self) -> None:
        """Turn what went wrong since the last call into events."""
        for watcher in self._watchers:
            for message in watcher.troubles():
                self.tell(watcher.name, message)

    def tell(self, name: str, message: str) -> None:
        """Store and show what went wrong with a watcher; a store that refuses is the study's own business to find."""
        try:
            event = self._store.log_event(self._study_id, EventKind.WATCHER, None, {"name": name, "message": message})
        except Exception:
            return
        self._observer.on_event(event)


@contextmanager
def watched(
    observer: Observer, study: Study, store: "Store", settings: Settings, flush_seconds: float = FLUSH_SECONDS
) -> Iterator[Observer]:
    """`observer` with the watchers that `settings` switch on; itself where there are none.

    At the end they have `flush_seconds`, all together, to send the rest. A watcher that cannot be opened is told of
    and left out: a study that runs unattended must not fail for it.
    """
    if not settings.watching.any:
        yield observer
        return
    watchers, told = _opened(study, settings)
    everyone = Watched(observer, watchers, store, study.study_id)
    spec, plan = study.spec, study.plan
    about = {
        "tunewright.task": spec.task,
        "tunewright.base_model": spec.base_model,
        "tunewright.metric": spec.objective.metric,
        "tunewright.llm": plan.llm,
    }
    try:
        with traces.study_span(study.study_id, about) as span:
            for name, message in told:
                everyone.tell(name, message)
            try:
                yield everyone
            finally:
                with suppress(Exception):  # the store may be what ended the study
                    span.set({"tunewright.state": store.study(study.study_id).state})
                everyone.close(flush_seconds)
    finally:
        traces.flush()
        everyone.tell_last_troubles()


def require_watchers(settings: Settings) -> None:
    """Raises InputError where something that is switched on is not installed; told before there is a study."""

    for name in settings.watching.export.chosen:
        require(name)
    traces.require(settings.watching.telemetry)


def _opened(study: Study, settings: Settings) -> tuple[list[Watcher], list[tuple[str, str]]]:
    """The watchers that could be opened, and (name, what is wrong) of the others."""
    opened: list[Watcher] = []
    told: list[tuple[str, str]] = []
    for name, opening in _wanted(study, settings).items():
        try:
            opened.append(opening())
        except Exception as error:
            told.append((name, said(error)))
    return opened, told


def _wanted(study: Study, settings: Settings) -> dict[str, Callable[[], Watcher]]:

    def tracker(name: TrackerName, place: bool | str) -> Watcher:
        require(name)
        return ExportProcess(name, place, study, settings.database)

    def traced() -> Watcher:
        traces.use(watching.telemetry)
        return SpanWatcher()

    watching = settings.watching
    wanted: dict[str, Callable[[], Watcher]] = {}
    for name, place in watching.export.chosen.items():
        wanted[name] = partial(tracker, name, place)
    if watching.webhook is not None:
        wanted["webhook"] = partial(webhook_watcher, watching.webhook, settings.database, study.study_id)
    if watching.traced:
        wanted["traces"] = traced
    return wanted
