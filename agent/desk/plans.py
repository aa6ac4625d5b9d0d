"""A plan as a card, and what an edit changed in it."""

from typing import Any

from agent.desk.cards import Line, PlanCard, Problem
from agent.request.plan import Plan
from agent.request.plan_rows import data_rows, searched_rows, understood_rows
from agent.study.nouns import Study
from trainers.dotted import flat


def plan_card(plan: Plan, previous: Plan | None = None) -> PlanCard:
    """`plan` in short; with `previous`, also what differs from it."""
    estimate = plan.estimate
    return PlanCard(
        plan_hash=plan.plan_hash if plan.ready else None,
        ready=plan.ready,
        request=plan.request,
        understood=tuple(Line(name=n, value=v, origin=o) for n, v, o in understood_rows(plan)),
        data=tuple(Line(name=name, value=value) for name, value in data_rows(plan)),
        searched=tuple(
            Line(name=name, value=values, origin=f"default {default} {quote}".rstrip())
            for name, default, values, quote in searched_rows(plan)
        ),
        trials=plan.spec.budget.trials,
        seconds_p50=estimate.seconds_p50,
        seconds_p90=estimate.seconds_p90,
        seconds_per_trial=estimate.seconds_per_trial,
        basis=estimate.basis,
        peak_memory_mb=estimate.peak_memory_mb,
        adapter_mb=estimate.adapter_mb,
        llm_tokens=estimate.llm_tokens or None,
        llm_usd=estimate.llm_usd,
        device=plan.device,
        questions=plan.questions,
        problem=_problem(plan),
        notes=plan.notes,
        not_obeyed=plan.ignored,
        changed=_changed(plan, previous) if previous is not None else (),
    )


def _problem(plan: Plan) -> Problem | None:
    if plan.refusal is not None:
        return Problem(code=plan.refusal.kind, message=plan.refusal.message)
    if plan.error is not None:
        error = plan.error
        return Problem(code=error.code, message=error.message, param=error.param, hint=error.hint)
    return None


def _changed(plan: Plan, previous: Plan) -> tuple[Line, ...]:
    """Fields of the spec that differ: name, what it is now, what it was."""
    now, before = _leaves(plan), _leaves(previous)
    return tuple(
        Line(name=name, value=now.get(name, "not set"), origin=before.get(name, "not set"))
        for name in dict.fromkeys([*now, *before])
        if now.get(name) != before.get(name)
    )


def _leaves(plan: Plan) -> dict[str, str]:
    return {name: _value_words(value) for name, value in flat(plan.spec.model_dump(mode="json")).items() if value != []}


def _value_words(value: Any) -> str:
    if isinstance(value, dict):
        values = {k: v for k, v in value.items() if v is not None}
        if set(values) == {"low", "high"}:
            return f"{values['low']:g} to {values['high']:g}"
        return ", ".join(f"{k} {_value_words(v)}" for k, v in values.items())
    if isinstance(value, list):
        return ", ".join(map(_value_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_copy_note(plan: Plan, study: Study) -> Plan:
    """`plan`, made from a copy of `study`'s, with a note that says what differs between the two."""
    if not plan.ready:
        return plan
    note = f"Copied from study {study.study_id}: the very same plan."
    if plan.plan_hash != study.plan_hash:
        fields = [f"{line.name} is {line.value}, was {line.origin}" for line in _changed(plan, study.plan)]
        differs = [*fields, *_circumstances(plan, study.plan)] or ["something differs"]
        note = f"Copied from study {study.study_id}; {'; '.join(differs)}."
    return plan.model_copy(update={"notes": (note, *plan.notes)})


def _circumstances(plan: Plan, previous: Plan) -> list[str]:
    """What differs without anybody having asked for it."""
    pairs = (
        ("the rows of the data", plan.data and plan.data.splits, previous.data and previous.data.splits),
        ("the search space", plan.space, previous.space),
        ("the base model", plan.base and plan.base.fingerprint, previous.base and previous.base.fingerprint),
        ("the machine", (plan.device, plan.precision), (previous.device, previous.precision)),
        ("the planner", plan.llm, previous.llm),
    )
    names = [name for name, now, before in pairs if now != before]
    return [f"different: {', '.join(names)}"] if names else []
