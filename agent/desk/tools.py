"""The verbs, each once: name, arguments, result, what it does to the world. Every face takes them from here.

A verb is a function of the desk and its arguments, whose annotations are their only description; its docstring is what
people and models read. What a conversation
remembers, whom a face asks for approval and how a result is shown are the faces' own business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, create_model

from agent.desk.cards import (
    NAME_CHARACTERS,
    BudgetStanding,
    Comparison,
    DataCard,
    EventPage,
    ModelAnswer,
    ParameterView,
    PlanCard,
    ReportCard,
    StartedStudy,
    StudyCard,
    StudyLine,
    StudyList,
    TrialExplanation,
    TrialPage,
    Tried,
    WaitedStudy,
)
from agent.desk.desk import Desk
from agent.desk.planning import plan_card
from agent.errors import InputError
from agent.request.draft import Overrides
from agent.request.plan_rows import searched_rows
from agent.request.spec_file import is_spec_file
from agent.study.journal import MAX_SEQ
from agent.study.nouns import EventKind
from tools.evaluate import Evaluation
from tools.export import Exported
from tools.paths import confined
from trainers.spec import Closed, Metric, Task


class Effect(StrEnum):
    """What a verb does to the world."""

    LOOKS = "looks"
    LOOKS_OUTSIDE = "looks outside"  # data and models may come from the hub, words may go to a hosted planner
    WRITES = "writes"  # a new directory
    SPENDS = "spends"  # hours of this machine, tokens of a planner
    HALTS = "halts"  # a study, which can go on at any time
    STOPS = "stops"  # a study, for good unless somebody resumes it


@dataclass(frozen=True)
class Verb:
    """One verb. The order of the fields of `arguments` is that of positional arguments."""

    name: str
    title: str
    arguments: type[Closed]
    card: type[BaseModel]
    effect: Effect
    run: Callable[[Desk, Any], BaseModel]
    """Takes the desk and its `arguments`."""
    doing: str = ""
    """What it is at, in words, where it may take longer than a moment."""

    @property
    def doc(self) -> str:
        """What it does, on one line: the docstring of its function."""
        return " ".join((self.run.__doc__ or "").split())

    @property
    def about_a_study(self) -> bool:
        """Whether it takes a study, None standing for the latest."""
        return "study" in self.arguments.model_fields

    def validated(self, arguments: Mapping[str, Any], model: type[Closed] | None = None) -> Any:
        """`arguments` as its model, or as another one. Raises InputError that names the first which is wrong."""
        model = model or self.arguments
        fields = ", ".join(model.model_fields)
        for name in arguments:
            if name not in model.model_fields:
                raise InputError(name, f"{self.name} takes no such argument.", f"It takes: {fields}.")
        try:
            return model.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "arguments"
            raise InputError(where, f"{first['msg']}.", f"{self.name} takes: {fields}.") from error


# -- arguments -------------------------------------------------------------------------------------------------


def _text(value: Any) -> Any:
    """Ids are digits, and models write them as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


StudyId = Annotated[str, BeforeValidator(_text), Field(max_length=40)]
Study = Annotated[StudyId | None, Field(description="a study's id, such as 3; without one the latest")]
Trial = Annotated[int | None, Field(ge=0)]
Words = Annotated[str, Field(min_length=1, max_length=20_000)]
Request = Annotated[Words, Field(description="the job in the person's own words, or the path of a spec file")]
Answers = Annotated[
    Annotated[dict[str, str], Field(max_length=20)] | None,
    Field(description="answers to the questions of an earlier reply, by their field"),
]
PlanHash = Annotated[
    str, Field(max_length=80, description="of a plan that was made here; its first 8 characters or more will do")
]
IdempotencyKey = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=200,
        description="the same key always stands for the same study; give a new one to run the same plan once more",
    ),
]
Source = Annotated[str, Field(min_length=1, max_length=1000)]


def says(what: str) -> Any:
    """What an argument is, for those who call a verb."""
    return Field(description=what)


# -- before a study --------------------------------------------------------------------------------------------


def profile_data(
    desk: Desk,
    data: Annotated[Source, says("path of a file (csv, tsv, jsonl, json, parquet), or id of a data set of the hub")],
    task: Annotated[Task | None, says("what it is for, where that cannot be told from its columns")] = None,
) -> DataCard:
    """What a data set holds, by counts: rows, columns, classes, splits, token lengths. No rows are shown.

    Use it before planning, to name the right columns.
    """
    return desk.profile_data(data, task)


def plan_study(
    desk: Desk,
    request: Request,
    answers: Answers = None,
    data: Annotated[Source | None, says("training data: a file or a hub id, if the request names none")] = None,
    trials: Annotated[int | None, says("how many configurations to try")] = None,
    seconds: Annotated[float | None, says("wall time of the whole study")] = None,
) -> PlanCard:
    """Plan a fine-tuning study from a request in plain language. Spends nothing and starts nothing.

    Give the person's own words; what they did not say is a default, marked as one. The reply tells what was understood,
    what will be searched, and time and memory it will take. If it asks questions, ask the person and call again with
    `answers`. Show the plan to the person: its plan_hash is what start_study takes.
    """
    if is_spec_file(request):
        confined("request", request.strip(), desk.settings.roots)
    flags = Overrides(data=data, trials=trials, seconds=seconds)
    return desk.plan(request, flags, answers=answers).card


def edit_plan(
    desk: Desk, plan_hash: PlanHash, text: Annotated[Words, says('such as "use rank 32 instead"')]
) -> PlanCard:
    """Plan again with a change in words, such as "20 trials" or "use rank 32 instead". Starts nothing.

    The result is another plan with another hash; `changed` tells what differs. The first one can still be started.
    """
    return desk.edit_plan(plan_hash, text).card


def show_plan(desk: Desk, plan_hash: PlanHash) -> PlanCard:
    """A plan that was made before, once more."""
    return plan_card(desk.store.kept_plan(plan_hash).plan)


def start_study(desk: Desk, plan_hash: PlanHash, idempotency_key: IdempotencyKey = None) -> StartedStudy:
    """Start an approved plan. SPENDS GPU OR CPU HOURS of this machine, and LLM tokens where a planner LLM is used.

    Only call it after the person has seen the plan and agreed: giving its hash is the approval. Returns at once; the
    study is queued and runs on by itself, also when this client or server ends. Follow it with wait_study or
    study_events. Calling again with the same hash gives the same study and starts nothing (another idempotency_key
    would run the plan once more).
    """
    already = started_before(desk, plan_hash, idempotency_key)
    card = desk.start(plan_hash, key=_key(desk, plan_hash, idempotency_key))
    return StartedStudy(**dict(card), already=already)


def started_before(desk: Desk, plan_hash: str, idempotency_key: str | None) -> bool:
    """Whether such a call has started its study before, so that another one starts nothing."""
    return desk.store.submission(key=_key(desk, plan_hash, idempotency_key)) is not None


def _key(desk: Desk, plan_hash: str, idempotency_key: str | None) -> str:
    return idempotency_key or f"{desk.face}:{desk.store.kept_plan(plan_hash).plan_hash}"


# -- looking ---------------------------------------------------------------------------------------------------

WITHOUT_PROGRESS = tuple(kind for kind in EventKind if kind is not EventKind.PROGRESS)
CURVE_POINTS = 12
MAX_TRIED = 6


def list_studies(desk: Desk, limit: Annotated[int, Field(ge=1, le=100)] = 10) -> StudyList:
    """The studies of this machine, newest first, each in a line: state, best score, budget, verdict."""
    cards = desk.studies(limit + 1)
    return StudyList(studies=tuple(map(StudyLine.of, cards[:limit])), more=len(cards) > limit)


def study_status(desk: Desk, study: Study = None) -> StudyCard:
    """Where a study stands now: trials, best against the default, what runs, time left, the result once it is done."""
    return desk.status(study)


def study_events(
    desk: Desk,
    study: Study = None,
    after: Annotated[
        int | None,
        Field(ge=0, le=MAX_SEQ),
        says("the `after` of the page before, 0 from the beginning; without it the latest events"),
    ] = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 30,
    progress: Annotated[bool, says("also the training steps, about one event a second")] = False,
) -> EventPage:
    """What happened in a study, in order: trials proposed, finished, failed, new bests, the end.

    Poll it with the `after` of the page before; `over` says that nothing more comes by itself.
    """
    study_id, kinds = desk.study(study).study_id, () if progress else WITHOUT_PROGRESS
    if after is None:
        everything = desk.store.events(study_id, kinds=kinds)
        after = everything[-limit - 1].seq if len(everything) > limit else 0
    return desk.events(study_id, after, limit, kinds)


def list_trials(
    desk: Desk,
    study: Study = None,
    after: Annotated[int, Field(ge=-1), says("only trials with a higher number")] = -1,
    limit: Annotated[int, Field(ge=1, le=100)] = 20,
) -> TrialPage:
    """The trials of a study by number: configuration, validation score, who proposed it, how it ended."""
    subject = desk.study(study)
    everything = desk.trials(subject.study_id)
    later = [trial for trial in everything if trial.trial > after]
    page = tuple(later[:limit])
    return TrialPage(
        study=subject.study_id,
        metric=subject.spec.objective.metric,
        direction=subject.spec.objective.direction,
        default=everything[0].config if everything else {},
        trials=page,
        after=page[-1].trial if page else after,
        more=len(later) > limit,
    )


def explain_trial(
    desk: Desk,
    study: Study = None,
    trial: Annotated[Trial, says("a trial's number; without one the best trial")] = None,
    parameter: Annotated[
        str | None, Field(max_length=100), says("hyperparameter that is asked about, such as learning_rate")
    ] = None,
) -> TrialExplanation:
    """Why a trial has its configuration: who proposed it and why, what was predicted, how it turned out.

    With `parameter` also where its value of that hyperparameter stands among what was searched and tried.
    """
    study_id = desk.study(study).study_id
    if trial is None and (trials := desk.trials(study_id)) and all(t.score is None for t in trials):
        trial = trials[-1].trial  # there is no best one yet
    card = desk.explain(study_id, trial)
    step = -(-len(card.curve) // CURVE_POINTS) or 1
    card = card.model_copy(update={"curve": card.curve[::-1][::step][::-1]})  # the last point is among them
    view = _parameter(desk, card.study, card.config, parameter) if parameter else None
    return TrialExplanation(**dict(card), parameter=view)


def _parameter(desk: Desk, study_id: str, config: Mapping[str, Any], name: str) -> ParameterView:
    study = desk.study(study_id)
    ranges = {row[0]: row[2] for row in searched_rows(study.plan)}
    if name not in config and name not in ranges:
        raise InputError("parameter", f"{name!r} is no hyperparameter of this trial.", f"It has: {', '.join(config)}.")
    trials = [t for t in desk.trials(study_id) if name in t.config and t.phase == "search"]
    sign = -study.spec.objective.direction.sign
    trials.sort(key=lambda t: (t.score is None, sign * (t.score or 0.0)))
    return ParameterView(
        name=name,
        value=config.get(name),
        default=study.plan.space.default().get(name) if study.plan.space else None,
        searched=ranges.get(name, "fixed, not searched"),
        tried=tuple(Tried(trial=t.trial, value=t.config[name], score=t.score) for t in trials[:MAX_TRIED]),
    )


def compare_trials(
    desk: Desk,
    study: Study = None,
    left: Annotated[Trial, says("a trial's number; without one the best")] = None,
    right: Annotated[Trial, says("a trial's number; without one the default configuration")] = None,
) -> Comparison:
    """Two configurations beside each other. Without numbers: is the best better than the default? On test rows once
    the study is done, with interval and verdict; `basis` says what the scores are."""
    return desk.compare(study, left, right)


def study_budget(desk: Desk, study: Study = None) -> BudgetStanding:
    """What a study may spend and has spent: trials, time, LLM tokens and dollars."""
    card = desk.status(study)
    budget = desk.budget(card.study)
    return BudgetStanding(**dict(budget), state_words=card.state_words, seconds_left_p50=card.seconds_left_p50)


def study_report(desk: Desk, study: Study = None) -> ReportCard:
    """What a finished study found: verdict, test scores with intervals, best configuration, where the adapter is.

    A study that is not done has none yet.
    """
    return desk.report_card(study)


def wait_study(
    desk: Desk, study: Study = None, timeout_seconds: Annotated[float, Field(gt=0, le=50.0)] = 30.0
) -> WaitedStudy:
    """Wait until a study is over, 50 seconds at most. "Still running" is a normal answer: call again.

    Waiting costs nothing and stopping to wait stops nothing.
    """
    card = desk.wait(study, timeout_seconds)
    return WaitedStudy(**dict(card), still_running=not card.over)


# -- control ---------------------------------------------------------------------------------------------------


def pause_study(desk: Desk, study: Study = None) -> StudyCard:
    """Stop a study but keep its place in the queue until resume_study. Finished trials are kept."""
    return desk.pause(study)


def cancel_study(desk: Desk, study: Study = None) -> StudyCard:
    """Stop a study and take it off the queue. What is finished is kept, and resume_study goes on from there."""
    return desk.cancel(study)


def resume_study(desk: Desk, study: Study = None) -> StudyCard:
    """Go on with a paused, cancelled or failed study. SPENDS GPU OR CPU HOURS, up to the budget of its approved plan.

    Finished trials are not run again. Returns at once.
    """
    return desk.resume(study)


# -- the model -------------------------------------------------------------------------------------------------

ANSWER_CHARACTERS = 3000
SHOWN_CLASSES = 10


def evaluate_model(
    desk: Desk,
    *,
    study: Study = None,
    data: Annotated[Source, says("labelled data: a file or a hub id")],
    metric: Annotated[Metric | None, says("without one the usual one of its task")] = None,
    max_rows: Annotated[int | None, Field(ge=1), says("only the first rows")] = None,
) -> Evaluation:
    """Score a finished study's model on labelled data, with an interval. Takes up to minutes."""
    return desk.evaluate(study, data, metric, max_rows)


def ask_model(
    desk: Desk,
    *,
    study: Study = None,
    prompt: Annotated[Words, says("what the tuned model is to answer or classify")],
    max_new_tokens: Annotated[int, Field(ge=1, le=1024)] = 128,
) -> ModelAnswer:
    """Ask the model that a finished study tuned: its text, or class probabilities. Takes about ten seconds."""
    study_id = desk.study(study).study_id
    answer = desk.generate(study_id, prompt, max_new_tokens)
    top = sorted(answer.probabilities.items(), key=lambda item: -item[1])[:SHOWN_CLASSES]
    shares = {name[:NAME_CHARACTERS]: share for name, share in top}
    return ModelAnswer(study=study_id, text=answer.text[:ANSWER_CHARACTERS], probabilities=shares)


def export_study(
    desk: Desk,
    study: Study = None,
    out: Annotated[str | None, Field(max_length=1000), says("a new directory; without one the usual one")] = None,
    merge: Annotated[bool, says("a full model instead of an adapter")] = False,
) -> Exported:
    """Copy a finished study's adapter to a new directory, or merge it into a full model."""
    return desk.export(study, Path(out) if out else None, merge)


@cache
def arguments_of(function: Callable[..., BaseModel]) -> type[Closed]:
    """The model of a function's parameters after the first, with their annotations and defaults."""
    hints, (_, *parameters) = get_type_hints(function, include_extras=True), signature(function).parameters.values()
    fields: dict[str, Any] = {
        p.name: (hints[p.name], ... if p.default is Parameter.empty else p.default) for p in parameters
    }
    name = function.__name__
    title = name.title().replace("_", "")
    return create_model(title, __base__=Closed, __doc__=f"Arguments of `{name}`.", **fields)


def verb_of(function: Callable[..., BaseModel], title: str, effect: Effect, doing: str = "") -> Verb:
    """The verb that a function is: by its name, by its parameters after the desk, and by the card it gives."""

    @wraps(function)
    def run(desk: Desk, form: Closed) -> BaseModel:
        return function(desk, **dict(form))

    card = get_type_hints(function)["return"]
    return Verb(function.__name__, title, arguments_of(function), card, effect, run, doing)


VERBS = (
    verb_of(profile_data, "Look at a data set", Effect.LOOKS_OUTSIDE, "reading the data"),
    verb_of(plan_study, "Plan a study", Effect.LOOKS_OUTSIDE, "planning"),
    verb_of(edit_plan, "Change a plan", Effect.LOOKS_OUTSIDE, "planning"),
    verb_of(show_plan, "Show a plan", Effect.LOOKS),
    verb_of(start_study, "Start a study (spends compute)", Effect.SPENDS, "preparing the data"),
    verb_of(list_studies, "List studies", Effect.LOOKS),
    verb_of(study_status, "Status of a study", Effect.LOOKS),
    verb_of(study_events, "Events of a study", Effect.LOOKS),
    verb_of(list_trials, "Trials of a study", Effect.LOOKS),
    verb_of(explain_trial, "Explain a trial", Effect.LOOKS),
    verb_of(compare_trials, "Compare two trials", Effect.LOOKS),
    verb_of(study_budget, "Budget of a study", Effect.LOOKS),
    verb_of(study_report, "Report of a study", Effect.LOOKS),
    verb_of(wait_study, "Wait for a study", Effect.LOOKS, "waiting"),
    verb_of(pause_study, "Pause a study", Effect.HALTS),
    verb_of(cancel_study, "Cancel a study", Effect.STOPS),
    verb_of(resume_study, "Resume a study (spends compute)", Effect.SPENDS),
    verb_of(evaluate_model, "Score a tuned model", Effect.LOOKS_OUTSIDE, "scoring the model"),
    verb_of(ask_model, "Ask a tuned model", Effect.LOOKS, "loading the model"),
    verb_of(export_study, "Export a tuned model", Effect.WRITES, "writing the model"),
)


def verb(name: str, verbs: Sequence[Verb] = VERBS) -> Verb:
    """The verb of this name. Raises InputError (`not_found`) where there is none."""
    for candidate in verbs:
        if candidate.name == name:
            return candidate
    names = ", ".join(candidate.name for candidate in verbs)
    raise InputError("name", f"there is no verb {name[:40]!r}.", f"There are: {names}.", code="not_found")


def call(desk: Desk, name: str, arguments: Mapping[str, Any], verbs: Sequence[Verb] = VERBS) -> BaseModel:
    """Carry out the verb `name`. Raises InputError that names the argument which is wrong, and what the verb raises."""
    called = verb(name, verbs)
    return called.run(desk, called.validated(arguments))
