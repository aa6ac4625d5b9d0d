"""The tools of a conversation, by name: typed functions over the desk with small results, for rules and LLM alike.

None of them changes anything by itself but `cancel`, `resume` and `export`, and these only where the person asked for
it in their own words (`Exchange.permits`). `start_study` starts nothing: it asks the person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agent.desk.cards import Problem
from agent.desk.chat import arguments, doing, looking, planning
from agent.desk.chat.compact import short
from agent.desk.chat.exchange import Exchange, Told
from agent.errors import InputError, TunewrightError
from trainers.spec import Closed


@dataclass(frozen=True)
class Tool:
    """One tool: what it is for, what it takes, what carries it out."""

    name: str
    description: str
    takes: type[Closed]
    run: Callable[[Exchange, Any], Told]


TOOLS = (
    Tool(
        "profile_data",
        "What a data file or hub data set holds: rows, columns, classes, lengths, by counts. Reads, changes nothing.",
        arguments.ProfileData,
        looking.profile_data,
    ),
    Tool(
        "plan_study",
        "Plan a fine-tuning study from the person's own words, change the current plan, answer one of its open "
        "questions, or (with an empty request) show it. Spends nothing and starts nothing.",
        arguments.PlanStudy,
        planning.plan_study,
    ),
    Tool(
        "start_study",
        "Put the current plan up for the person's approval. It only asks: nothing starts before the person has said "
        "yes, and your turn ends with the call. Takes the hash that plan_study told.",
        arguments.StartStudy,
        planning.start_study,
    ),
    Tool(
        "status",
        "Where a study stands: state, trials, best score against the default, time used and left, result when done.",
        arguments.Status,
        looking.status,
    ),
    Tool("events", "What happened in a study, the latest last.", arguments.Events, looking.events),
    Tool(
        "explain",
        "Why a trial (the best, unless one is named) has its configuration: who proposed it and why, prediction and "
        "outcome, what differs from the default; with `parameter` also what was searched and tried of that one.",
        arguments.Explain,
        looking.explain,
    ),
    Tool(
        "compare",
        "Two trials beside each other; without numbers the best against the default, on test rows once it is done.",
        arguments.Compare,
        looking.compare,
    ),
    Tool(
        "cancel",
        "Stop a study (or pause it). Works only if the person asked for it; what is finished is kept.",
        arguments.Cancel,
        doing.cancel,
    ),
    Tool(
        "resume",
        "Go on with a stopped or paused study. Works only if the person asked for it.",
        arguments.Resume,
        doing.resume,
    ),
    Tool(
        "evaluate",
        "Score a finished study's model on labelled data. Takes up to minutes.",
        arguments.Evaluate,
        doing.evaluate,
    ),
    Tool(
        "generate",
        "Ask a finished study's tuned model; gives its text, or class probabilities. About ten seconds.",
        arguments.Generate,
        doing.generate,
    ),
    Tool(
        "export",
        "Copy a finished study's adapter to a new directory, or merge it into a full model. Works only if the person "
        "asked for it.",
        arguments.Export,
        doing.export,
    ),
    Tool(
        "budget",
        "What a study has spent and may spend: trials, time, LLM tokens and dollars; and this conversation's tokens.",
        arguments.Budget,
        looking.budget,
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}


def call_tool(exchange: Exchange, name: str, given: dict[str, Any]) -> Told:
    """Call the tool `name`. Whatever goes wrong with it is told as {code, message, hint}, never raised."""
    tool = BY_NAME.get(name)
    if tool is None:
        known = ", ".join(BY_NAME)
        return _problem(
            Problem(code="no_tool", message=f"there is no tool {short(name, 40)!r}.", hint=f"There are: {known}.")
        )
    try:
        return tool.run(exchange, tool.takes.model_validate(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or None
        return _problem(
            Problem(code="bad_arguments", message=short(first["msg"]), param=where, hint=f"Arguments: {_names(tool)}.")
        )
    except TunewrightError as error:
        return _problem(Problem.of(error))
    except OSError as error:  # a file that went away meanwhile, a full disk
        return _problem(Problem.of(InputError("file", f"{short(str(error))}.", "Look at the file.", code="os_error")))


def _names(tool: Tool) -> str:
    return ", ".join(tool.takes.model_fields)


def _problem(problem: Problem) -> Told:
    found = problem.model_dump(exclude_none=True, exclude_defaults=True)
    shown = {key: short(value) if isinstance(value, str) else value for key, value in found.items()}
    where = f"{problem.param}: " if problem.param else ""
    return Told(problem, short(f"{where}{problem.message}", 160), shown, ok=False)
