"""The tools that do something with a study: stop it, go on with it, score and ask its model, hand it out."""

from pathlib import Path

from agent.desk.chat.arguments import Cancel, Evaluate, Export, Generate, Resume
from agent.desk.chat.compact import compact, quoted
from agent.desk.chat.exchange import Exchange, Told
from agent.desk.chat.looking import study_result, study_summary
from agent.desk.chat.results import DATA_NOTE
from agent.errors import InputError


def cancel(exchange: Exchange, given: Cancel) -> Told:
    """Stop a study, or pause it."""
    study = _wanted(exchange, "cancel", given.study)
    card = exchange.desk.pause(study) if given.pause else exchange.desk.cancel(study)
    return Told(card, study_summary(card), study_result(card))


def resume(exchange: Exchange, given: Resume) -> Told:
    """Queue a stopped study again."""
    card = exchange.desk.resume(_wanted(exchange, "resume", given.study))
    return Told(card, study_summary(card), study_result(card))


def evaluate(exchange: Exchange, given: Evaluate) -> Told:
    """Score a study's model on labelled data."""
    found = exchange.desk.evaluate(exchange.study(given.study), given.data, given.metric, given.max_rows)
    shown = found.model_dump(mode="json", exclude={"adapter"})
    return Told(found, f"{found.metric} {found.score:.4f} on {found.n_rows:,} rows", compact(shown))


def generate(exchange: Exchange, given: Generate) -> Told:
    """Ask a study's model."""
    found = exchange.desk.generate(exchange.study(given.study), given.prompt, given.max_new_tokens)
    top = sorted(found.probabilities.items(), key=lambda item: -item[1])[:5]
    shown = {"answer": quoted(found.text, 1500), "probabilities": {quoted(label): p for label, p in top}}
    return Told(found, quoted(found.text, 80), compact(shown | {"about_quotes": DATA_NOTE}, 1600))


def export(exchange: Exchange, given: Export) -> Told:
    """Copy a study's adapter to a new directory, or merge it."""
    if given.out is not None and not any(given.out in words for words in exchange.said):
        raise InputError("out", "the person has not named this directory.", "Leave it out, or ask.", code="not_said")
    study = _wanted(exchange, "export", given.study)
    found = exchange.desk.export(study, Path(given.out) if given.out else None, given.merge)
    return Told(found, f"{found.megabytes:g} MB in {found.directory}", compact(found.model_dump(mode="json")))


def _wanted(exchange: Exchange, action: str, named: str | None) -> str:
    """The study to act on. Raises InputError where the person has not asked for this: a model's wish is not enough."""
    study = exchange.study(named)
    if not exchange.permits(action, study):
        raise InputError(
            "study",
            f"only the person can have study {study} be changed, and they have not asked to {action} it.",
            f'Tell them: if they want it, they say "{action} study {study}".',
            code="ask_the_person",
        )
    return study
