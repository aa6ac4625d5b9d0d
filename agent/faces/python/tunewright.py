"""The Python interface: `from agent import Tunewright`.

    with Tunewright() as tw:
        study = tw.run("classify the complaints in complaints.csv, 6 trials")
        print(study.result.verdict)

A view of the same store as the command line, the chat and the server: what is started here is seen there.
"""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ValidationError

from agent.desk.cards import StudyCard
from agent.desk.desk import Desk
from agent.desk.planning import Approval
from agent.desk.planning import approve as approve_by_hash
from agent.desk.tools import VERBS, Verb
from agent.desk.tools import call as call_verb
from agent.errors import InputError, NeedsAnswer, StudyFailed
from agent.faces.python.frames import data_name
from agent.faces.python.plan import PlanHandle
from agent.faces.python.study import OnEvent, StudyHandle
from agent.request.draft import Overrides
from agent.request.spec_file import spec_draft
from agent.settings import load_settings
from agent.study.nouns import StudyState

Approve = bool | str | Callable[[PlanHandle], Any]
"""True: as it comes. A plan hash: that plan and no other. A function of the plan: whether to go on."""


class Tunewright:
    """Plans, starts and looks at studies of one home directory. Use as a context manager, or call `close`."""

    def __init__(
        self, home: str | os.PathLike[str] | None = None, llm: str | None = None, verbs: Sequence[Verb] = VERBS
    ) -> None:
        """`home`: where studies are kept (default: as on the command line); `llm`: the planner; `verbs`: for `call`.

        Data and outputs must lie in the working directory, in `home` or in $TUNEWRIGHT_ROOTS.
        """
        self._verbs = tuple(verbs)
        self.settings = load_settings(llm, home=None if home is None else Path(home))
        self.desk = Desk(self.settings)

    def close(self) -> None:
        """Let go of the database. Studies go on."""
        self.desk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Tunewright home={str(self.settings.home)!r} llm={self.settings.llm!r}>"

    def plan(
        self,
        request: str | os.PathLike[str] | Mapping[str, Any] | BaseModel = "",
        *,
        data: Any = None,
        trials: int | None = None,
        seconds: float | None = None,
        warm_start: str | None = None,
        from_study: "str | StudyHandle | None" = None,
    ) -> PlanHandle:
        """Look at what a request would do; nothing is spent.

        `request`: words, the path of a spec file, or a spec as a dict or `TaskSpec`. `data`: a path, a hub id, a
        pandas data frame or a list of dicts; rows are written once to the home directory. With `from_study` the
        configuration of that study is copied, and `request` is an edit of it in words.

        Raises InputError for what cannot be read; what is open or wrong with the plan is in the plan.
        """
        name = None if data is None else data_name(data, self.settings.home)
        overrides = _overrides(data=name, trials=trials, seconds=seconds, warm_start=warm_start)
        if from_study is not None:
            source = from_study.id if isinstance(from_study, StudyHandle) else str(from_study)
            planned = self.desk.plan_copy(source, _words(request), overrides)
        elif isinstance(request, Mapping | BaseModel):
            tree = _plain(request)
            words = yaml.safe_dump(tree, default_flow_style=True, width=10_000, sort_keys=False).strip()
            planned = self.desk.plan_draft(words, spec_draft(tree, "the spec"), overrides=overrides)
        else:
            planned = self.desk.plan(_words(request), overrides)
        return PlanHandle(self.desk, planned)

    def start(self, plan: PlanHandle | str, *, key: str | None = None) -> StudyHandle:
        """Approve a plan, or the one with this hash, and queue its study; returns at once.

        The same `key` again gives the same study. Raises NeedsAnswer while a question is open and where data, model
        or machine have changed since the plan was made.
        """
        plan_hash = plan.needed_hash() if isinstance(plan, PlanHandle) else plan
        return StudyHandle(self.desk, self.desk.start(plan_hash, face="python", key=key).study)

    def run(
        self,
        request: str | os.PathLike[str] | Mapping[str, Any] | BaseModel | PlanHandle,
        *,
        approve: Approve = True,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        progress: bool = True,
        key: str | None = None,
        **options: Any,
    ) -> StudyHandle:
        """Plan (with the `options` of `plan`), approve, start, and wait for the end; the study.

        Whatever is planned is approved by the call, unless `approve` is a hash, False or a function that says no.

        The study runs in a process of its own: Ctrl-C stops the waiting only. After `timeout` seconds the study is
        returned as it stands (`study.over` is False). Raises StudyFailed where it failed.
        """
        plan = self._plan_of(request, options)
        _approved(plan, approve(plan) if callable(approve) else approve)
        study = self.start(plan, key=key)
        card = study.wait(timeout, on_event=on_event, progress=progress, after=0)
        return _unless_failed(study, card)

    async def arun(
        self,
        request: str | os.PathLike[str] | Mapping[str, Any] | BaseModel | PlanHandle,
        *,
        approve: Approve = True,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        key: str | None = None,
        **options: Any,
    ) -> StudyHandle:
        """`run` for asyncio: the loop stays free; `approve` and `on_event` may be coroutine functions."""
        plan = await asyncio.to_thread(self._plan_of, request, options)
        answer = approve(plan) if callable(approve) else approve
        _approved(plan, await answer if isawaitable(answer) else answer)
        study = await asyncio.to_thread(lambda: self.start(plan, key=key))
        card = await study.await_end(timeout, on_event=on_event, after=0)
        return _unless_failed(study, card)

    def studies(self) -> list[StudyHandle]:
        """All studies, newest first."""
        return [StudyHandle(self.desk, study.study_id) for study in reversed(self.desk.store.studies())]

    def study(self, study: str | int | None = None) -> StudyHandle:
        """One study, the latest where none is named. Raises InputError where there is none."""
        return StudyHandle(self.desk, self.desk.study(None if study is None else str(study)).study_id)

    def queue(self) -> list[StudyCard]:
        """The studies that are to be worked off, in order."""
        return self.desk.queue()

    def call(self, verb: str, /, **arguments: Any) -> BaseModel:
        """Any verb by its name, as other faces offer it: `tw.call("explain_trial", trial=3)`; its card.

        Raises InputError that names the argument which is wrong, and what the verb raises.
        """
        return call_verb(self.desk, verb, arguments, self._verbs)

    def _plan_of(self, request: Any, options: dict[str, Any]) -> PlanHandle:
        if not isinstance(request, PlanHandle):
            return self.plan(request, **options)
        if options:
            raise InputError(next(iter(options)), "cannot be given beside a plan.", "Edit the plan.")
        return request


def _overrides(**fields: Any) -> Overrides:
    try:
        return Overrides(**fields)
    except ValidationError as error:
        problem = error.errors()[0]
        field = str(problem["loc"][0])
        raise InputError(field, f"{problem['msg'].lower()}, got {problem['input']!r}.", "Correct it.") from error


def _approved(plan: PlanHandle, answer: object) -> None:
    """Raises NeedsAnswer unless `answer` approves this very plan."""
    plan.needed_hash()
    if isinstance(answer, str):
        approve_by_hash(plan.plan, Approval(plan_hash=answer))
    elif not answer:
        raise NeedsAnswer("not approved; nothing was done.")


def _unless_failed(study: StudyHandle, card: StudyCard) -> StudyHandle:
    if card.over and card.state is StudyState.FAILED:
        raise StudyFailed(f"study {study.id} failed: {card.error}")
    return study


def _words(request: object) -> str:
    if isinstance(request, str | os.PathLike):
        return os.fspath(request)
    raise InputError("request", f"must be words here, got {type(request).__name__}.", "Say it in words.")


def _plain(spec: Mapping[str, Any] | BaseModel) -> dict[str, Any]:
    """A spec as JSON has it."""
    if isinstance(spec, BaseModel):
        return spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    try:
        plain: dict[str, Any] = json.loads(json.dumps(spec, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            "spec", f"must hold plain values: {error}.", "Give numbers, texts, lists and dicts."
        ) from error
    return plain
