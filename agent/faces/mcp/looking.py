"""The tools that look at studies."""

from typing import Annotated

from mcp_types import CallToolResult, ContentBlock, ResourceLink
from pydantic import Field

from agent.desk.cards import BudgetCard
from agent.faces.mcp.replies import (
    ComparisonReply,
    EventsReply,
    ExplanationReply,
    ReportReply,
    StudiesReply,
    StudyReply,
    TrialsReply,
    explanation_reply,
    more_than,
    study_line,
    told,
)
from agent.faces.mcp.resources import report_uris
from agent.faces.mcp.served import Ctx, Study, desk_of
from agent.faces.mcp.words import (
    budget_words,
    comparison_words,
    events_words,
    explanation_words,
    lines,
    report_words,
    studies_words,
    study_words,
    trials_words,
)
from agent.study.journal import MAX_SEQ
from agent.study.nouns import EventKind

TrialNumber = Annotated[int | None, Field(ge=0)]
WITHOUT_PROGRESS = tuple(kind for kind in EventKind if kind is not EventKind.PROGRESS)


def list_studies(ctx: Ctx, limit: Annotated[int, Field(ge=1, le=100)] = 10) -> Annotated[CallToolResult, StudiesReply]:
    """The studies of this machine, newest first, each in a line: state, best score, budget, verdict."""
    cards = desk_of(ctx).studies(limit + 1)
    card = StudiesReply(studies=tuple(map(study_line, cards[:limit])), more=len(cards) > limit)
    return told(card, studies_words(card.studies, card.more))


def study_status(ctx: Ctx, study: Study = None) -> Annotated[CallToolResult, StudyReply]:
    """Where a study stands now: trials, best against the default, what runs, time left, the result once it is done."""
    desk = desk_of(ctx)
    found = desk.status(study)
    card = more_than(StudyReply, found, budget=desk.budget(found.study))
    return told(card, lines([study_words(card), budget_words(card.budget)]))


def study_events(
    ctx: Ctx,
    study: Study = None,
    after: Annotated[
        int, Field(ge=0, le=MAX_SEQ, description="the `after` of the page before; 0 from the beginning")
    ] = 0,
    limit: Annotated[int, Field(ge=1, le=200)] = 30,
    progress: Annotated[bool, Field(description="also the training steps, about one event a second")] = False,
) -> Annotated[CallToolResult, EventsReply]:
    """What happened in a study after a cursor, in order: trials proposed, finished, failed, new bests, the end.

    Poll it with the `after` of the page before; `over` says that nothing more comes by itself.
    """
    desk = desk_of(ctx)
    page = desk.events(study, after, limit, kinds=() if progress else WITHOUT_PROGRESS)
    card = more_than(EventsReply, page, budget=desk.budget(page.study))
    return told(card, events_words(card, card.budget))


def list_trials(
    ctx: Ctx,
    study: Study = None,
    after: Annotated[int, Field(ge=-1, description="only trials with a higher number")] = -1,
    limit: Annotated[int, Field(ge=1, le=100)] = 20,
) -> Annotated[CallToolResult, TrialsReply]:
    """The trials of a study by number: configuration, validation score, who proposed it, how it ended."""
    desk = desk_of(ctx)
    found = desk.study(study)
    everything = desk.trials(found.study_id)
    trials = [t for t in everything if t.trial > after]
    objective, page = found.spec.objective, tuple(trials[:limit])
    card = TrialsReply(
        study=found.study_id,
        metric=objective.metric,
        direction=objective.direction,
        trials=page,
        after=page[-1].trial if page else after,
        more=len(trials) > limit,
        budget=desk.budget(found.study_id),
    )
    more = f"There are more: after={card.after}" if card.more else None
    default = everything[0].config if everything else {}
    return told(card, lines([more, budget_words(card.budget), trials_words(page, card.metric, default)]))


def explain_trial(
    ctx: Ctx,
    study: Study = None,
    trial: Annotated[TrialNumber, Field(description="a trial's number; without one the best trial")] = None,
) -> Annotated[CallToolResult, ExplanationReply]:
    """Why a trial has its configuration: who proposed it and why, what was predicted, how it turned out."""
    desk = desk_of(ctx)
    found = desk.explain(study, trial)
    card = explanation_reply(found, desk.budget(found.study))
    return told(card, lines([explanation_words(card), budget_words(card.budget)]))


def compare_trials(
    ctx: Ctx,
    study: Study = None,
    left: Annotated[TrialNumber, Field(description="a trial's number; without one the best")] = None,
    right: Annotated[TrialNumber, Field(description="a trial's number; without one the default configuration")] = None,
) -> Annotated[CallToolResult, ComparisonReply]:
    """Two configurations beside each other. Without numbers: is the best better than the default? On test rows once
    the study is done, with interval and verdict; `basis` says what the scores are."""
    desk = desk_of(ctx)
    found = desk.compare(study, left, right)
    card = more_than(ComparisonReply, found, budget=desk.budget(found.study))
    return told(card, lines([comparison_words(card), budget_words(card.budget)]))


def study_budget(ctx: Ctx, study: Study = None) -> Annotated[CallToolResult, BudgetCard]:
    """What a study may spend and has spent: trials, time, LLM tokens and dollars."""
    card = desk_of(ctx).budget(study)
    return told(card, lines([f"Study {card.study}", budget_words(card)]))


def study_report(ctx: Ctx, study: Study = None) -> Annotated[CallToolResult, ReportReply]:
    """What a finished study found: verdict, test scores with intervals, best configuration, where the adapter is.

    The whole report is linked as resources. A study that is not done has none yet.
    """
    desk = desk_of(ctx)
    found = desk.report_card(study)
    uris = report_uris(found.study)
    card = more_than(ReportReply, found, resources=tuple(uris), budget=desk.budget(found.study))
    links: list[ContentBlock] = [
        ResourceLink(name=f"study-{found.study}-{uri.rsplit('/', 1)[-1]}", uri=uri, mime_type=kind)
        for uri, kind in uris.items()
    ]
    text = lines([report_words(card, desk.study(found.study).spec.objective.metric), budget_words(card.budget)])
    return told(card, text, links)
