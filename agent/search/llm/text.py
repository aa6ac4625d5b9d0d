"""Between trials and prompts: the rows a planner LLM reads, and its own words made safe to show."""

from collections.abc import Sequence

from agent.search.llm.task_card import TaskCard
from agent.study.nouns import Trial, TrialState
from prompts.history import Row, number_text

MAX_WHY_CHARACTERS = 240
_MARKUP = str.maketrans("<>[]&`", "()()+'")


def trial_row(trial: Trial) -> Row:
    """A trial as a row of the table; the score only of complete trials, the others belong to another fidelity."""
    if trial.state is TrialState.FAILED:
        status = str(trial.reason) if trial.reason else "FAILED"
    else:
        status = {TrialState.COMPLETE: "OK", TrialState.PRUNED: "PRUNED"}.get(trial.state, "RUN")
    score = trial.score if trial.state is TrialState.COMPLETE else None
    return Row(trial.number, trial.config, score, status, trial.proposal.source)


def safe_line(text: str) -> str:
    """A model's prose, safe for a terminal, for Markdown and for HTML: one line of printable characters without
    brackets, at most `MAX_WHY_CHARACTERS`."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_WHY_CHARACTERS])
    return " ".join(printable.translate(_MARKUP).split())[:MAX_WHY_CHARACTERS]


def card_lines(card: TaskCard, only: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """(name, value) of what is known of the job, of `only` these where given: how long it runs is left out, and so are
    the card's own defaults, which nobody stated."""
    fields = card.model_dump(mode="json", exclude_none=True, exclude_unset=True).items()
    facts = [(n, v) for n, v in fields if n not in ("trials", "parallel_trials") and (only is None or n in only)]
    return [(name, number_text(value)) for name, value in facts]
