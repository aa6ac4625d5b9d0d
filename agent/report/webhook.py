"""Tells a webhook that a study is over, or that a plan waits for approval; counts and scores, never rows."""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pydantic import Field

from agent.report.delivery import NotDelivered, post
from agent.report.trackers import error_line
from agent.report.write import result_of_study
from agent.request.plan import Plan
from agent.settings import Webhook, WebhookEvent
from agent.study.nouns import OVER, EventKind, Phase, Study, StudyEvent, StudyState, TrialState, report_directory
from agent.study.rows import now
from agent.study.store import Store
from trainers.spec import Closed

SECRET_VARIABLE = "TUNEWRIGHT_WEBHOOK_SECRET"  # noqa: S105 - its name, not the secret

PAUSES_SECONDS = (1.0, 3.0)
"""Before the second and third attempt; with their time limits that fits into what the end of a study waits."""

APPROVAL_SECONDS = 10.0
"""A plan is told of when it has waited so long: many are started by the very program that made them."""

_EVENT_OF: dict[str, WebhookEvent] = {"DONE": "done", "FAILED": "failed", "CANCELLED": "cancelled"}
"""State of a study that is over to what the webhook calls that."""


class Scores(Closed):
    """One configuration's scores."""

    validation: float | None = None
    test: float | None = Field(None, description="mean over seeds, only of a study that is done")


class Notice(Closed):
    """What is delivered, as JSON."""

    event: WebhookEvent
    at: str
    text: str = Field(description="everything in one sentence, for chat rooms")
    study: str | None = None
    state: StudyState | None = None
    plan_hash: str
    metric: str | None = None
    best: Scores | None = None
    default: Scores | None = None
    verdict: str | None = None
    failures: dict[str, int] = Field({}, description="reasons of failed trials, with counts")
    report: str | None = Field(None, description="directory of the report, on the machine of the study")
    url: str | None = Field(None, description="where to look at it, if `link` is configured")


class WebhookWatcher:
    """A `Watcher` (agent/report/watching.py) that tells the webhook, in a thread, how the study ended."""

    name = "webhook"

    def __init__(self, hook: Webhook, database: Path, study_id: str) -> None:
        self._hook, self._database, self._study_id = hook, database, study_id
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None

    def on_event(self, event: StudyEvent) -> None:
        """Begin to deliver, where it is the study's end and that is to be told."""
        if event.kind is EventKind.STUDY_ENDED and _EVENT_OF.get(str(event.data.get("state"))) in self._hook.events:
            self._thread = threading.Thread(target=self._deliver, args=(event.seq,), name="webhook", daemon=True)
            self._thread.start()

    def troubles(self) -> list[tuple[str, str]]:
        """See `Watcher`."""
        trouble, self._trouble = self._trouble, None
        return [(self.name, trouble)] if trouble else []

    def close(self, until: float) -> None:
        """See `Watcher`. A delivery that hangs is left behind; it cannot keep the process from ending."""
        if self._thread is not None:
            self._thread.join(max(0.1, until - time.monotonic()))
            if self._thread.is_alive():
                self._trouble = "was not done in time at the end and was left; something may not have been sent"

    def _deliver(self, seq: int) -> None:
        try:
            with Store.open(self._database, read_only=True) as store:
                notice = notice_of(store.study(self._study_id), store, self._hook)
            deliver(self._hook, notice, f"study-{self._study_id}-{seq}")
        except Exception as error:  # whatever fails here must not touch the study
            self._trouble = f"failed: {error_line(error)}"


def tell_ended(hook: Webhook | None, study: Study, store: Store) -> None:
    """Tell of a study that ended without a process that watched it, such as one that failed before it began.

    Returns when that is done or given up; what fails is logged.
    """
    if hook is not None and _EVENT_OF.get(study.state) in hook.events:
        _quietly(lambda: deliver(hook, notice_of(study, store, hook), f"study-{study.study_id}-{study.finished_at}"))


class Approvals:
    """Tells the webhook of plans that wait for approval, each once and only if nobody starts it at once."""

    def __init__(self, hook: Webhook | None, after_seconds: float = APPROVAL_SECONDS) -> None:
        self._hook = hook if hook is not None and "approval" in hook.events else None
        self._after_seconds = after_seconds
        self._timers: dict[str, threading.Timer] = {}

    def waits(self, plan: Plan) -> None:
        """A plan is ready. Returns at once; nothing is told where no webhook is configured."""
        plan_hash = plan.plan_hash
        if self._hook is None or plan_hash in self._timers:
            return
        send = partial(deliver, self._hook, _approval_notice(plan), f"plan-{plan_hash[:16]}")
        timer = self._timers[plan_hash] = threading.Timer(self._after_seconds, _quietly, (send,))
        timer.daemon = True
        timer.start()

    def started(self, plan_hash: str) -> None:
        """It has been approved."""
        if plan_hash in self._timers:
            self._timers[plan_hash].cancel()


def deliver(hook: Webhook, notice: Notice, message_id: str) -> None:
    """Up to three attempts with back-off. Raises NotDelivered with the last one's reason."""
    body = notice.model_dump_json(exclude_none=True).encode()
    secret = os.environ.get(SECRET_VARIABLE)
    for pause in (*PAUSES_SECONDS, None):
        try:
            return post(hook, body, message_id, secret)
        except NotDelivered as error:
            if pause is None or not error.again:
                raise
            time.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def notice_of(study: Study, store: Store, hook: Webhook) -> Notice:
    """The notice about a study that is over."""
    trials = store.trials(study.study_id)
    best_trial = store.history(study.study_id).best
    failed = [t for t in trials if t.state is TrialState.FAILED]
    over = sum(t.phase is Phase.SEARCH and t.state in OVER for t in trials)
    done = study.state is StudyState.DONE
    result = result_of_study(study) if done else None
    event = _EVENT_OF[study.state]
    best = Scores(validation=best_trial.score if best_trial else None, test=result.best_test if result else None)
    default_score = next((t.score for t in trials if t.number == 0), None)
    default = Scores(validation=default_score, test=result.default_test if result else None)
    outcome = result.verdict if result else f"{over} of {study.spec.budget.trials} trials were run."
    return Notice(
        event=event,
        at=now(),
        text=f"Study {study.study_id} is {event}. {outcome}",
        study=study.study_id,
        state=study.state,
        plan_hash=study.plan_hash,
        metric=study.spec.objective.metric,
        best=best,
        default=default,
        verdict=result.verdict if result else None,
        failures=dict(Counter(str(t.reason) for t in failed)),
        report=str(report_directory(study)) if done else None,
        url=hook.link.replace("{study}", study.study_id) if hook.link else None,
    )


def _approval_notice(plan: Plan) -> Notice:
    spec, seconds = plan.spec, plan.estimate.seconds_p50
    expected = f", about {max(1, round(seconds / 60))} min" if seconds else ""
    what = f"{spec.task} with {spec.base_model}, {spec.budget.trials} trials{expected}"
    return Notice(
        event="approval",
        at=now(),
        text=f"Plan {plan.plan_hash[:12]} waits for approval: {what}.",
        plan_hash=plan.plan_hash,
        metric=spec.objective.metric if spec.objective else None,
    )


def _quietly(send: Callable[[], None]) -> None:
    try:
        send()
    except Exception as error:
        logging.getLogger("tunewright").warning("webhook: %s", error)
