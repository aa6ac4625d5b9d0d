"""The task, the training method, the loss and early stopping as a request states them, and what it does not want."""

import re

from agent.request.rules.claims import Reading
from agent.request.rules.hyperparameters import read_absent
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS
from agent.request.tasks import TASK_OF_ROLE
from trainers.spec import TERMS, Adapter, Loss, Task

_PHRASES, _STOPPING = PHRASES["methods"], PHRASES["stopping"]


def read_negations(reading: Reading) -> None:
    """Mask what the request says it does not want, so that it is not read as wanted."""
    for pattern in (_PHRASES["past"], _PHRASES["not_but"], _PHRASES["overfits"]):
        reading.skip(pattern)
    for match in regex(_PHRASES["sentence"]).finditer(reading.text.left):  # what was, and wishes nothing
        is_past = regex(rf"(?<!\w){WORDS.past}(?!\w)").search(match.group())
        if is_past and not regex(rf"(?<![\w']){WORDS.wishes}(?![\w'])").search(match.group()):
            reading.text.consume(*match.span())
    read_absent(reading)
    read_early_stopping(reading)  # here, as "no early stopping" is a wish and no mere negation
    reading.skip(_PHRASES["not_good"])
    if merge := reading.find(_PHRASES["not_merged"]):
        reading.claim("output.merge", False, merge)
    for match in reading.find_all(WORDS.adapters[Adapter.FULL]):
        reading.claim("adapter", Adapter.FULL, match)
    reading.skip(_PHRASES["not_wanted"])


def read_early_stopping(reading: Reading) -> None:
    """Claim budget.early_stopping: words against it first, as they hold the words for it."""
    for match in reading.find_all(
        _STOPPING["every_trial"]
    ):  # not consumed: "run all 12 trials to the end" also says how many
        reading.claim("budget.early_stopping", False, match, consume=False)
    for match in reading.find_all(_STOPPING["never"]):
        reading.claim("budget.early_stopping", False, match)
    for match in reading.find_all(_STOPPING["allowed"]):
        if not reading.precedes(_STOPPING["when"], match):
            reading.claim("budget.early_stopping", True, match)


def read_methods(reading: Reading) -> None:
    """Claim loss, adapter and output.merge; a preference loss states its task too. An unknown loss is rejected."""
    for loss, words in WORDS.losses.items():
        for match in reading.find_all(words):
            if loss is Loss.HINGE and match.group() == "hinge" and not reading.find("loss|dpo|preference|pairs"):
                continue
            reading.claim("loss", loss, match)
            if loss not in (Loss.SIGMOID, Loss.HINGE) or regex("dpo|slic").search(match.group()):
                task = next(task for task, terms in TERMS.items() if loss in terms.losses)
                reading.claim("task", task, match, consume=False)
    if not reading.has("loss"):
        _reject_unknown_losses(reading)
    for adapter, words in WORDS.adapters.items():
        for match in reading.find_all(rf"{words}(?:[- ](?:adapters?|tun(?:e|ing)))?"):
            verb = match.group().endswith(("tune", "tuning"))
            reading.claim("adapter", adapter, match, consume=not verb)
    if merge := reading.find(_PHRASES["merged"]):
        reading.claim("output.merge", True, merge)


def _reject_unknown_losses(reading: Reading) -> None:
    """Reject a loss that is asked for by a name this program does not know.

    "The foo loss" counts only for preference tuning or as a loss function: elsewhere it may be a topic (hearing loss).
    """
    with_losses = [task for task in WORDS.tasks if TERMS[task].losses]
    pairs = any(claim.value in with_losses for claim in reading.of("task"))
    pairs = pairs or any(reading.find(WORDS.tasks[task]) for task in with_losses)
    for match in reading.find_all(_PHRASES["unknown_loss"]):
        group, name = next((group, match[n]) for n, group in (("a", "set"), ("b", "stated"), ("c", "kind")) if match[n])
        if name not in WORDS.no_loss and (group != "kind" or pairs or match["function"]):
            rule = f"the loss must be one of {', '.join(Loss)}, which are for preference tuning"
            reading.reject("loss", match.span(group), rule)


def read_task(reading: Reading) -> None:
    """Claim the task from the words for it; a task already claimed by its columns or loss stands."""
    if reading.has("task"):
        return
    tasks: list[tuple[Task, re.Match[str]]] = []
    for task, words in WORDS.tasks.items():
        if match := reading.find(words):
            tasks.append((task, match))
            reading.text.consume(*match.span())
    for task, match in tasks:
        reading.claim("task", task, match)
    for role, task in TASK_OF_ROLE.items():
        if not tasks and reading.has(f"data.columns.{role}"):
            reading.infer("task", task, f"the request names a {role} column")
