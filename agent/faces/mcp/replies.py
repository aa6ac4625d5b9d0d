"""What the tools answer: the desk's cards, each about a study with what it has spent, and the same in a few words."""

from collections.abc import Iterable
from typing import Any, TypeVar

from mcp_types import CallToolResult, ContentBlock, TextContent
from pydantic import BaseModel, Field

from agent.desk.cards import (
    BudgetCard,
    Comparison,
    DataCard,
    EventPage,
    Explanation,
    Problem,
    ReportCard,
    StudyCard,
    TrialCard,
)
from agent.desk.chat.compact import short
from agent.study.nouns import StudyState
from trainers.spec import Closed, Direction

R = TypeVar("R", bound=Closed)
TEXT_CHARACTERS = 3500
"""Under a thousand tokens."""
ERROR_CHARACTERS = 800
CURVE_POINTS = 12
CLASSES = 24


class StudyReply(StudyCard):
    """Where a study stands, and its budget."""

    budget: BudgetCard


class StartReply(StudyReply):
    """A study that was queued."""

    already: bool = Field(description="it had been started before; nothing was started now")


class WaitReply(StudyReply):
    """A study after some waiting."""

    still_running: bool = Field(description="not over yet: wait again")


class StudyLine(Closed):
    """One study of the list."""

    study: str
    state: StudyState
    state_words: str
    over: bool
    request: str
    metric: str
    direction: Direction
    best: float | None
    default: float | None
    verdict: str | None
    trials_used: int
    trials_limit: int
    seconds_used: float
    seconds_limit: float | None
    llm_tokens_used: int
    created_at: str


class StudiesReply(Closed):
    """Studies, newest first."""

    studies: tuple[StudyLine, ...]
    more: bool = Field(description="there are older ones")


class EventsReply(EventPage):
    """Events of a study after a cursor, and its budget."""

    budget: BudgetCard


class TrialsReply(Closed):
    """Trials of a study by number, and its budget."""

    study: str
    metric: str
    direction: Direction
    trials: tuple[TrialCard, ...]
    after: int = Field(description="give this as `after` to get what comes next")
    more: bool
    budget: BudgetCard


class ExplanationReply(Explanation):
    """Why a trial has its configuration, and the study's budget; of a long learning curve some points."""

    budget: BudgetCard


class ComparisonReply(Comparison):
    """Two configurations beside each other, and the study's budget."""

    budget: BudgetCard


class ReportReply(ReportCard):
    """What a finished study found, and the resources that hold its report."""

    resources: tuple[str, ...]
    budget: BudgetCard


class DataReply(DataCard):
    """What a data set is, by counts; of many classes the largest."""

    n_classes: int


class AnswerReply(Closed):
    """What a tuned model says."""

    study: str
    text: str
    probabilities: dict[str, float] = Field({}, description="class to probability; empty for language models")
    budget: BudgetCard


def more_than(kind: type[R], card: Closed, **fields: Any) -> R:
    """`card` as a reply of `kind`, which has some fields more."""
    return kind(**dict(card), **fields)


def study_line(card: StudyCard) -> StudyLine:
    """A study in a line."""
    return StudyLine(
        study=card.study,
        state=card.state,
        state_words=card.state_words,
        over=card.over,
        request=short(card.request, 200),
        metric=card.metric,
        direction=card.direction,
        best=card.best.score if card.best else None,
        default=card.default,
        verdict=card.result.verdict if card.result else None,
        trials_used=card.trials_over,
        trials_limit=card.trials_limit,
        seconds_used=card.seconds_used,
        seconds_limit=card.seconds_limit,
        llm_tokens_used=card.llm_tokens,
        created_at=card.created_at,
    )


def explanation_reply(card: Explanation, budget: BudgetCard) -> ExplanationReply:
    """`card` with at most a dozen points of its curve, the last one among them."""
    step = -(-len(card.curve) // CURVE_POINTS) or 1
    thinned = card.curve[::-1][::step][::-1]
    return more_than(ExplanationReply, card.model_copy(update={"curve": thinned}), budget=budget)


def data_reply(card: DataCard) -> DataReply:
    """`card` with its largest classes; names that come out of the data are cut short and hold no control characters."""
    largest = sorted(card.classes.items(), key=lambda item: -item[1])[:CLASSES]
    kept = {
        "columns": tuple(short(name, 60) for name in card.columns[:CLASSES]),
        "classes": {short(name, 60): n for name, n in largest},
    }
    return more_than(DataReply, card.model_copy(update=kept), n_classes=len(card.classes))


def told(card: BaseModel, text: str, links: Iterable[ContentBlock] = ()) -> CallToolResult:
    """A result: `text` for a model to read, `card` for a program."""
    words = text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 1]}…"
    content: list[ContentBlock] = [TextContent(text=words), *links]
    return CallToolResult(content=content, structured_content=card.model_dump(mode="json", by_alias=True))


def refused(problem: Problem) -> CallToolResult:
    """An error as a result: JSON text {code, message, param, hint, retryable}.

    It is no structured content: that has the shape of the tool's output schema, which some clients hold errors to.
    """
    small = problem.model_copy(update={"message": short(problem.message, ERROR_CHARACTERS)})
    return CallToolResult(content=[TextContent(text=small.model_dump_json())], is_error=True)
