"""From a draft to a plan: everything that code can find out, checked against real data, model and machine.

Changes nothing on disk but caches. What the user must decide becomes a question, what cannot be done a refusal, what
breaks a rule an error; the rest of the plan is filled in all the same, so that one look shows everything.
"""

from dataclasses import dataclass, field

from pydantic import ValidationError

from agent.request.checks import check_method, check_numbers, check_objective, check_paths, check_target
from agent.request.defaults import choose_base, choose_metric, choose_rest, choose_task
from agent.request.draft import NO_OVERRIDES, Draft, Overrides, RefusalClass
from agent.request.feasible import check_disk, check_feasible, data_notes, fit_adapter_limit
from agent.request.past import Past, read_past
from agent.request.plan import Plan, PlanError
from agent.request.tasks import choose_loss
from agent.request.working import Working
from agent.settings import Settings
from tools.base_model import BaseModelFacts, cache_directory
from tools.data.profile_data import Profiled, profile
from tools.estimate import Estimate, estimate, training_flops
from tools.machine import Machine, find_machine
from trainers.embedded import TINY_CAUSAL
from trainers.errors import InputError
from trainers.priors import default_space
from trainers.space import Space
from trainers.spec import Data, Intent, TaskSpec


@dataclass(frozen=True)
class Resolved:
    """A plan, and the rows behind it where the data could be read."""

    plan: Plan
    profiled: Profiled | None = None


@dataclass
class _Facts:
    """What has been found out beside the spec so far; private to one call of `resolve`."""

    machine: Machine
    base: BaseModelFacts | None = None
    profiled: Profiled | None = None
    spec: TaskSpec | None = None
    space: Space | None = None
    estimate: Estimate = field(default_factory=Estimate)
    past: Past | None = None


def resolve(request: str, draft: Draft, settings: Settings, overrides: Overrides = NO_OVERRIDES) -> Resolved:
    """The plan for a draft. Nothing the user can get wrong raises: it is in the plan.

    Cost: reading and comparing the data (seconds for 10,000 rows), milliseconds for the rest; up to some seconds more
    where the hub has to be asked.
    """
    work = Working(draft)
    _apply_overrides(work, overrides)
    for rejected in draft.rejected:
        _take_rejected(work, rejected.field, rejected.quote, rejected.reason)
    if not work.refusal and work.get("intent") is Intent.UNSUPPORTED:
        work.refuse(RefusalClass.UNSUPPORTED_TASK, "this is not a job of fine-tuning a text model.")
    work.default("intent", Intent.TRAIN, "the request asks for nothing else")
    facts = _Facts(find_machine())
    if not work.refusal and work.get("intent") in (Intent.TRAIN, Intent.PLAN):
        _settle(work, settings, facts)
    return Resolved(_plan(request, draft, work, settings, facts), facts.profiled)


def _settle(work: Working, settings: Settings, facts: _Facts) -> None:
    """Fill in what is missing, in the order in which one thing depends on the other."""
    check_paths(work, settings.roots)
    check_numbers(work)
    choose_task(work, settings.roots)
    if work.refusal:
        return
    check_method(work, facts.machine)
    check_objective(work)
    choose_metric(work)
    check_target(work)
    facts.base = base = choose_base(work, settings.roots)
    profiled = None if work.refusal else _profile(work, settings, base)
    if work.refusal:
        return
    choose_loss(work, profiled)
    choose_rest(work)
    spec, space = _close(work, base, profiled)
    facts.profiled, facts.spec, facts.space = profiled, spec, space if profiled else None
    if spec is None or space is None or base is None or profiled is None:
        return
    data, machine, flops = profiled.profile, facts.machine, training_flops(facts.machine, cache_directory())
    facts.space = space = fit_adapter_limit(work, spec, space, base)
    check_feasible(work, spec, space, base, data, machine, flops)
    facts.estimate = estimate(spec, space, base, data, machine, flops, llm=settings.llm)
    check_disk(work, facts.estimate.adapter_mb, settings.home)
    work.notes += data_notes(spec, data, facts.estimate, machine, trials_given=work.is_users("budget.trials"))
    facts.past = _past(work, spec, space, settings)


def _past(work: Working, spec: TaskSpec, space: Space, settings: Settings) -> Past | None:
    """The past trials that the spec names, with a note of what was taken over."""
    if spec.warm_start is None:
        return None
    with work.recording():
        past = read_past(spec.warm_start, spec, space, settings.roots)
        work.notes.append(past.note(spec))
        return past
    return None


def _apply_overrides(work: Working, overrides: Overrides) -> None:
    for name, flag, value in overrides.flags():
        if work.is_users(name) and work.get(name) != value:
            work.notes.append(f"{flag} {value} takes the place of {name} {work.get(name)} in the request.")
        work.user(name, value, f"{flag} {value}")
        if name == "data.train" and work.refusal and work.refusal.kind is RefusalClass.MISSING_DATA:
            work.refusal = None


def _take_rejected(work: Working, name: str, quote: str, reason: str) -> None:
    """A value that the reader could not put into the draft: an error, unless a flag or a refusal has settled it."""
    if work.is_users(name):
        return
    if not work.refusal:
        hint = "Correct it, or leave it out for the default."
        work.errors.append(PlanError(code="bad_value", param=name, message=f"{reason}, got {quote!r}.", hint=hint))
    work.drop(name, reason, quote)


def _profile(work: Working, settings: Settings, base: BaseModelFacts | None) -> Profiled | None:
    """Read, split and measure the data; None where that is not possible, with the reason in `work`."""
    if (
        work.get("data.train") is None
        or work.get("task") is None
        or any(error.param.startswith("data.") for error in work.errors)
    ):
        return None

    draft = work.draft_spec()
    with work.recording():
        profiled = profile(
            Data.model_validate(draft.data.model_dump()),
            work.get("task"),
            roots=settings.roots,
            tokenizer_file=base.tokenizer_file if base else None,
            tokenizer_name=base.name if base else "words",
            max_positions=base.max_positions if base else None,
            constraints=draft.constraints,
            seed=work.get("seed") or 0,
        )
        for role, column in profiled.profile.columns:
            evidence = profiled.profile.column_evidence.get(role, "found in the data")
            work.infer(f"data.columns.{role}", column, evidence)
        return profiled
    return None


def _close(
    work: Working, base: BaseModelFacts | None, profiled: Profiled | None
) -> tuple[TaskSpec | None, Space | None]:
    """The closed spec and its search space; values of the search that break a rule are rejected one after another."""
    while True:
        try:
            spec = work.task_spec()
            space = default_space(
                spec,
                hidden_size=base.hidden_size if base else None,
                parameters=base.parameters if base else None,
                n_train_rows=profiled.profile.splits.train if profiled else 0,
                embedded=base is not None and base.name == TINY_CAUSAL,
            )
        except ValidationError:
            return None, None  # something is still open: a question, a refusal or an error says what
        except InputError as error:
            if error.param not in work.values:
                work.fail(error)
                return None, None
            work.reject(error.param, error.rule, error.hint, error.code)
        else:
            return spec, space


def _plan(request: str, draft: Draft, work: Working, settings: Settings, facts: _Facts) -> Plan:
    complete = None if work.questions or work.errors or work.refusal else facts.spec
    errors = sorted(work.errors, key=lambda error: not error.param.startswith("data."))
    return Plan(
        request=request,
        spec=complete or work.draft_spec(),
        provenance=work.provenance,
        questions=tuple(work.questions),
        refusal=work.refusal,
        error=errors[0] if errors else None,
        base=facts.base,
        data=facts.profiled.profile if facts.profiled else None,
        space=facts.space,
        past=facts.past,
        device=facts.machine.device,
        precision=facts.machine.precision,
        estimate=facts.estimate,
        notes=tuple(
            dict.fromkeys([*(f"Also to correct, {e.param}: {e.message} {e.hint}" for e in errors[1:]), *work.notes])
        ),
        ignored=draft.ignored,
        study=draft.study,
        trial=draft.trial,
        llm=settings.llm,
    )
