"""The desk: one typed verb for everything that people and programs may ask of tunewright.

Chat, HTTP, MCP, web page and Python are views of it. It plans, approves by hash, queues, looks and stops; the training
itself is done by the process of `agent/desk/dispatch.py`. Every method may be called from several threads.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from agent.desk import study_cards
from agent.desk.cards import (
    BudgetCard,
    Comparison,
    DataCard,
    EventPage,
    Explanation,
    LlmCallCard,
    PlanCard,
    ReportCard,
    StudyCard,
    TrialCard,
)
from agent.desk.child import in_child
from agent.desk.dispatch import ensure_dispatcher
from agent.desk.planning import Job, command_of, plan_card
from agent.errors import InputError, NeedsAnswer, StoreConflict
from agent.llm import traces
from agent.report.model import Report, result_of
from agent.report.watching import require_watchers
from agent.report.webhook import Approvals
from agent.report.write import read_report
from agent.request.draft import NO_OVERRIDES, Draft, Overrides, answered, with_flags
from agent.request.plan import Plan
from agent.request.resolve import Resolved, resolve
from agent.run.carry_out import open_study_planner, prepared_data, take_data
from agent.settings import Settings
from agent.study.desk_rows import StoredPlan, Submission
from agent.study.lock import owner_pid
from agent.study.nouns import EventKind, Study, StudyEvent, StudyState, report_directory
from agent.study.rows import now
from agent.study.store import Store
from tools.data.columns import Undecided
from tools.data.data_profile import DataProfile
from tools.data.prepare_data import prepare
from tools.data.profile_data import profile
from tools.evaluate import Evaluation
from tools.export import Exported
from tools.generate import Answer
from tools.paths import confined
from trainers.spec import CurvePoint, Data, Task

POLL_SECONDS = 0.5
MAX_EVENTS = 500


@dataclass(frozen=True)
class Planned:
    """A plan with what it was made from; `card.plan_hash` starts it."""

    card: PlanCard
    plan: Plan
    draft: Draft
    overrides: Overrides


class Desk:
    """The verbs over one home directory. Use as a context manager, or call `close`."""

    def __init__(
        self, settings: Settings, read_only: bool = False, unattended: bool = False, face: str = "python"
    ) -> None:
        """`read_only`: only look; raises InputError where there is no database yet, and makes none.

        `unattended`: nobody may be looking when a plan is ready, so the webhook is told of those that wait.
        `face`: who asks; it is kept with each study that is started, unless the call names another.
        """
        self.settings, self.face = settings, face
        self._approvals = Approvals(settings.watching.webhook if unattended else None)
        if not read_only:
            with suppress(InputError):  # without the package there are no traces; `start` says so
                traces.use(settings.watching.telemetry)
        self.store = Store.open(settings.database, read_only=read_only)
        self._planning = threading.Lock()

    def close(self) -> None:
        """Let go of the database. Studies go on."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- plans -------------------------------------------------------------------------------------------------

    def read(self, text: str, previous: Draft | None = None, llm: str | None = None) -> tuple[Draft, tuple[int, ...]]:
        """The draft of a request (of a spec file where `text` names one), or of an edit of `previous`.

        Also the ids of the LLM calls it took. Raises InputError and PlannerFailed.
        """
        return self._read(Job(text, self._with(llm), previous=previous))

    def _read(self, job: Job) -> tuple[Draft, tuple[int, ...]]:
        try:
            draft = job.read()
        finally:
            calls = tuple(self.store.log_llm_call(call) for call in job.calls)
        return draft, calls

    def plan(
        self,
        request: str,
        overrides: Overrides = NO_OVERRIDES,
        llm: str | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> Planned:
        """Plan a request from nothing. Changes nothing but caches; a ready plan is kept for its approval.

        `answers`: to its open questions, by the field each is about. Raises InputError for one that the field cannot
        have.
        """
        return self._plan(Job(request, self._with(llm), overrides), answers, edited=bool(answers))

    def edit(self, previous: Planned | StoredPlan, text: str) -> Planned:
        """Plan again after an edit in words ("use rank 32 instead").

        An override holds unless the edit says something else about the same thing.
        """
        before, draft = previous.plan, with_flags(previous.draft, previous.overrides)
        return self._plan(Job(text, self._with(before.llm), previous=draft, earlier=before.request), before=before)

    def edit_plan(self, plan_hash: str, text: str) -> Planned:
        """`edit` of a plan that was made here, by its hash. Raises InputError for an unknown hash."""
        return self.edit(self.store.kept_plan(plan_hash), text)

    def plan_copy(
        self, study: str, text: str = "", overrides: Overrides = NO_OVERRIDES, llm: str | None = None
    ) -> Planned:
        """Plan what a study was asked for again, edited in words and by flags; a note says what differs from it.

        The same data give the same plan hash where nothing was changed, the output directory apart: it is not copied.
        The planner is the study's unless `llm` names one.
        """
        source = self.study(study)
        job = Job(text, self._with(llm or source.plan.llm), overrides, copies=source)
        return self._plan(job, before=source.plan)

    def _plan(
        self, job: Job, answers: Mapping[str, str] | None = None, before: Plan | None = None, edited: bool = True
    ) -> Planned:
        with self._planning:
            draft, calls = self._read(job)
            for field, reply in (answers or {}).items():
                draft = answered(draft, field, reply)
            return self.keep(job, draft, job.plan(draft).plan, calls, before=before, edited=edited)

    def plan_draft(
        self,
        request: str,
        draft: Draft,
        *,
        before: Plan | None = None,
        overrides: Overrides = NO_OVERRIDES,
        llm: str | None = None,
        calls: tuple[int, ...] = (),
        edited: bool = True,
        learning_rate_multiplier: float | None = None,
    ) -> Planned:
        """Plan a draft that exists already, such as one with answers or a copy of a study's.

        `calls`: the LLM calls that it took; `edited`: the words of `request` alone do not give it;
        `learning_rate_multiplier`: fixes the learning rate at so many times the default of its task and model.
        """
        job = Job(request, self._with(llm), overrides)
        with self._planning:
            if learning_rate_multiplier is not None:
                space = job.plan(draft).plan.space
                if space is not None:  # else something is open, and the plan says what
                    rate = f"{float(space.default()['learning_rate']) * learning_rate_multiplier:.6g}"
                    quote = f"learning_rate_multiplier {learning_rate_multiplier:g}"
                    draft = answered(draft, "search.learning_rate", rate, quote)
            return self.keep(job, draft, job.plan(draft).plan, calls, before=before, edited=edited)

    def keep(
        self,
        job: Job,
        draft: Draft,
        plan: Plan,
        calls: tuple[int, ...] = (),
        *,
        before: Plan | None = None,
        edited: bool = False,
    ) -> Planned:
        """Keep a plan, if it is ready, for its approval.

        `before`: the plan that it is an edit of; `edited`: its words alone do not give its draft.
        """
        if plan.ready:
            stored = StoredPlan(
                plan_hash=plan.plan_hash,
                at=now(),
                request=plan.request,
                llm=job.settings.llm,
                draft=draft,
                overrides=job.flags,
                plan=plan,
                llm_call_ids=calls,
                edited=edited,
            )
            self.store.keep_plan(stored)
            self._approvals.waits(plan)
        return Planned(plan_card(plan, before), plan, draft, job.flags)

    def _with(self, llm: str | None) -> Settings:
        return self.settings if llm is None else self.settings.model_copy(update={"llm": llm})

    def start(
        self,
        plan_hash: str,
        *,
        face: str | None = None,
        key: str | None = None,
        job: dict[str, Any] | None = None,
        resolved: Resolved | None = None,
    ) -> StudyCard:
        """Approve the plan with this hash and queue it; returns at once.

        The plan is made again from the same words: where data, model or machine have changed since, it is another
        plan, and NeedsAnswer says so. `resolved` is the plan where it was made a moment ago. `key` makes it safe to
        ask twice: the same key gives the same study. Raises
        InputError for an unknown hash, StoreConflict for a key that stands for another plan.
        """
        stored = self.store.kept_plan(plan_hash)
        if (earlier := self._submitted(key, stored.plan_hash)) is not None:
            return self.status(earlier.study_id)
        settings = self._with(stored.llm)
        if resolved is None:
            with self._planning:
                resolved = resolve(stored.request, stored.draft, settings, stored.overrides)
        if resolved.plan.plan_hash != stored.plan_hash or resolved.profiled is None:
            raise NeedsAnswer(
                f"plan {stored.plan_hash[:12]} cannot be carried out any more: data, model or machine have changed "
                "since it was made. Plan again and look at what differs."
            )
        open_study_planner(resolved.plan)  # a missing key or price is told before there is a study
        require_watchers(settings)
        self._approvals.started(stored.plan_hash)
        prepare(resolved.profiled, prepared_data(resolved.plan, settings))
        command = "tunewright run --from-study {study} --yes"
        if not stored.edited:
            command = command_of(stored.request, stored.overrides, stored.llm)
        try:
            with self.store.tx():
                study = self.store.create_study(resolved.plan, command=command)
                self.store.give_llm_calls(study.study_id, stored.llm_call_ids)
                self.store.record_submission(study.study_id, face or self.face, stored.plan_hash, key, job)
                self.store.enqueue(study.study_id)
        except StoreConflict:
            if (earlier := self._submitted(key, stored.plan_hash)) is None:
                raise
            return self.status(earlier.study_id)  # the same key came twice at once
        take_data(study, settings)
        ensure_dispatcher(self.settings.home)
        return self.status(study.study_id)

    def _submitted(self, key: str | None, plan_hash: str) -> Submission | None:
        """What was started with `key` before. Raises StoreConflict where that is another plan."""
        earlier = self.store.submission(key=key) if key is not None else None
        if earlier is not None and earlier.plan_hash != plan_hash:
            raise StoreConflict(
                f"the idempotency key {key!r} stands for study {earlier.study_id}, another plan. Use a new key."
            )
        return earlier

    # -- looking -----------------------------------------------------------------------------------------------

    def study(self, study: str | None = None) -> Study:
        """The study named, or the latest. Raises InputError where there is none."""
        if study is not None:
            return self.store.study(study)
        studies = self.store.studies()
        if not studies:
            raise InputError(
                "study", "there is no study yet.", 'Plan one, such as "classify the topics in tickets.csv".'
            )
        return studies[-1]

    def status(self, study: str | None = None) -> StudyCard:
        """Where a study stands; the latest where none is named."""
        return study_cards.study_card(self.study(study), self.store)

    def studies(self, limit: int | None = None) -> list[StudyCard]:
        """Studies, newest first; all of them, or at most `limit`."""
        newest = self.store.studies()[::-1][:limit]
        return [study_cards.study_card(study, self.store) for study in newest]

    def queue(self) -> list[StudyCard]:
        """The studies that are to be worked off, in order; the one that runs and those that are paused included."""
        return [self.status(entry.study_id) for entry in self.store.queue()]

    def events(
        self, study: str | None = None, after: int = 0, limit: int = 100, kinds: Sequence[EventKind] = ()
    ) -> EventPage:
        """What happened after the event numbered `after`, of `kinds` if any; at most `limit` (1 to 500) at once."""
        if not 1 <= limit <= MAX_EVENTS:
            raise InputError("limit", f"must be between 1 and {MAX_EVENTS}, got {limit}.", "Ask for fewer.")
        study_id = self.study(study).study_id
        over = self.status(study_id).over
        latest = self.store.last_seq(study_id)  # before reading: what comes meanwhile is not skipped
        events = self.store.events(study_id, after, limit=limit + 1, kinds=kinds)
        more, page = len(events) > limit, tuple(events[:limit])
        last = page[-1].seq if page else after
        return EventPage(study=study_id, events=page, after=last if more else max(last, latest), more=more, over=over)

    def trials(self, study: str | None = None) -> list[TrialCard]:
        """The trials of a study, by number."""
        return [study_cards.trial_card(t) for t in self.store.trials(self.study(study).study_id)]

    def curves(self, study: str | None = None) -> dict[int, tuple[CurvePoint, ...]]:
        """Trial number to learning curve."""
        curves = self.store.curves(self.study(study).study_id)
        return {int(trial_id.rpartition("-")[2]): points for trial_id, points in curves.items()}

    def explain(self, study: str | None = None, trial: int | None = None) -> Explanation:
        """Why a trial has its configuration and how it turned out; the best trial where none is named."""
        return study_cards.explanation(self.store, self.study(study), trial)

    def llm_call(self, study: str | None, trial: int) -> LlmCallCard | None:
        """The planner LLM's call behind a trial; None where another proposer made it."""
        return study_cards.llm_call_card(self.store, self.study(study), trial)

    def compare(self, study: str | None = None, left: int | None = None, right: int | None = None) -> Comparison:
        """Trial `left` (default: the best) against trial `right` (default: the default configuration)."""
        return study_cards.comparison(self.store, self.study(study), left, right)

    def budget(self, study: str | None = None) -> BudgetCard:
        """What a study may spend and has spent."""
        return study_cards.budget_card(self.study(study), self.store)

    def report(self, study: str | None = None) -> Report:
        """The report of a finished study. Raises InputError for one that is not."""
        return read_report(report_directory(self._done(study)))

    def report_card(self, study: str | None = None) -> ReportCard:
        """Where the report is, and what it says in short."""
        done = self._done(study)
        directory = report_directory(done)
        files = sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())
        return ReportCard(
            study=done.study_id,
            directory=str(directory),
            files=tuple(files),
            adapter_dir=str(directory / "adapter"),
            result=result_of(read_report(directory)),
        )

    def _done(self, study: str | None) -> Study:
        subject = self.study(study)
        if subject.state is StudyState.DONE:
            return subject
        card = self.status(subject.study_id)
        why = f" ({subject.error})" if subject.error else ""
        again = f" If it fails again, start anew: {subject.command}" if subject.error and subject.command else ""
        raise InputError(
            "study",
            f"study {subject.study_id} is {card.state_words}, not done{why}.",
            f"Resume it: `tunewright resume {subject.study_id}`.{again}" if card.over else "Wait for it.",
            code="not_done",
        )

    def profile_data(self, data: str, task: Task | None = None) -> DataCard:
        """What a file or hub data set holds, by counts; no rows. Raises InputError where it cannot be used.

        It is read as `task`; without one as the task that its columns tell, else as the first that they allow.
        """
        problems: list[InputError] = []
        for candidate in [task] if task is not None else [None, *Task]:
            try:
                return DataCard.of(data, self._profile(data, candidate))
            except InputError as error:
                problems.append(error)
                if error.param != "task":
                    break
        raise problems[0]

    def _profile(self, data: str, task: Task | None) -> DataProfile:
        try:
            return profile(Data(train=data), task, roots=self.settings.roots).profile
        except Undecided as question:
            hint = f"Suggestion: {question.suggestion}" if question.suggestion else "Say which."
            raise InputError(question.field, question.question, hint) from question

    # -- control -----------------------------------------------------------------------------------------------

    def cancel(self, study: str | None = None) -> StudyCard:
        """Stop a study; what is finished stays, and `resume` goes on. Raises InputError for one that is done."""
        study_id = self.study(study).study_id
        self.store.dequeue(study_id)
        self.store.request_cancel(study_id)
        return self.status(study_id)

    def pause(self, study: str | None = None) -> StudyCard:
        """Stop a study but keep its place in the queue until `resume`."""
        subject = self._unfinished(study)
        starting = any(e.study_id == subject.study_id and e.starts > 0 for e in self.store.queue())
        with self.store.tx():
            self.store.enqueue(subject.study_id)
            self.store.pause(subject.study_id)
        if starting or owner_pid(subject.directory) is not None:  # one that is just starting finds the request
            self.store.request_cancel(subject.study_id)
        return self.status(subject.study_id)

    def resume(self, study: str | None = None) -> StudyCard:
        """Queue a stopped study again; finished trials are not run again. Returns at once."""
        study_id = self._unfinished(study).study_id
        self.store.withdraw_cancel(study_id)
        self.store.enqueue(study_id)
        ensure_dispatcher(self.settings.home)
        return self.status(study_id)

    def _unfinished(self, study: str | None) -> Study:
        subject = self.study(study)
        if subject.state is StudyState.DONE:
            raise InputError("study", f"study {subject.study_id} is done.", "Look at its report, or start a new one.")
        return subject

    def wait(self, study: str | None = None, timeout: float | None = None) -> StudyCard:
        """The study when it is over, or as it stands after `timeout` seconds (`over` says which)."""
        study_id = self.study(study).study_id
        until = None if timeout is None else time.monotonic() + timeout
        while not (card := self.status(study_id)).over:
            left = POLL_SECONDS if until is None else until - time.monotonic()
            if left <= 0:
                break
            self.keep_going(card)
            time.sleep(min(left, POLL_SECONDS))
        return card

    def keep_going(self, card: StudyCard) -> None:
        """Whoever waits for a queued study sees to it that somebody works on the queue."""
        if card.queue_place is not None:
            ensure_dispatcher(self.settings.home)

    def stream(self, study: str | None = None, after: int = 0, timeout: float | None = None) -> Iterator[StudyEvent]:
        """Events as they come, until the study is over or `timeout` seconds have passed."""
        study_id = self.study(study).study_id
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            page = self.events(study_id, after, MAX_EVENTS)
            yield from page.events
            after = page.after
            left = POLL_SECONDS if until is None else until - time.monotonic()
            if (page.over and not page.more) or left <= 0:
                return
            if not page.events:
                self.keep_going(self.status(study_id))
                time.sleep(min(left, POLL_SECONDS))

    # -- the model ---------------------------------------------------------------------------------------------

    def adapter_of(self, study: str | None = None) -> Path:
        """The adapter that a finished study handed back."""
        return report_directory(self._done(study)) / "adapter"

    def generate(self, study: str | None, prompt: str, max_new_tokens: int = 128) -> Answer:
        """What a finished study's model says to `prompt`: text, or class probabilities. About 10 s: it is loaded."""
        home, options = self.settings.home, ("--max-new-tokens", str(max_new_tokens))
        return Answer.model_validate(in_child(home, "generate", *options, "--", str(self.adapter_of(study)), prompt))

    def evaluate(
        self, study: str | None, data: str, metric: str | None = None, max_rows: int | None = None
    ) -> Evaluation:
        """Score a finished study's model on labelled data, in a process of its own."""
        options = [*(("--metric", metric) if metric else ()), *(("--max-rows", str(max_rows)) if max_rows else ())]
        arguments = (*options, "--", str(self.adapter_of(study)), data)
        return Evaluation.model_validate(in_child(self.settings.home, "evaluate", *arguments, seconds=3600.0))

    def export(self, study: str | None = None, out: Path | None = None, merge: bool = False) -> Exported:
        """Copy a finished study's adapter to a new directory, or merge it into the base model there."""
        done = self._done(study)
        target = confined("out", str(out or f"tunewright-{done.study_id}"), self.settings.roots)
        options = ("--out", str(target), *(("--merge",) if merge else ()))
        arguments = (*options, "--", done.study_id)
        return Exported.model_validate(in_child(self.settings.home, "export", *arguments, seconds=3600.0))
