"""What an utterance asks for, by rules: the patterns of `wishes.toml`, then the rules reader of requests."""

import re
import tomllib
from enum import StrEnum
from importlib.resources import files

from agent.request.draft import Draft, RefusalClass
from agent.request.read import read_request
from agent.request.rules.intents import out_of_scope
from agent.request.rules.vocabulary import WORDS
from trainers.spec import Closed, Intent


def _patterns(section: dict[str, str]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile("".join(text.splitlines())) for name, text in section.items()}


_FILE = tomllib.loads(files("agent.desk.chat").joinpath("wishes.toml").read_text(encoding="utf-8"))
_PHRASES, _KINDS = _patterns(_FILE["phrases"]), [_patterns(_FILE[part]) for part in ("questions", "wishes")]


def is_yes(text: str) -> bool:
    """Whether the whole utterance is a yes; "yes, but with rank 32" is none."""
    return _PHRASES["yes"].fullmatch(text) is not None


def is_no(text: str) -> bool:
    """Whether the whole utterance is a no."""
    return _PHRASES["no"].fullmatch(text) is not None


def names_the_start(text: str) -> bool:
    """Whether a yes says what it is a yes to: "start it", "approve"."""
    return is_yes(text) and re.search(r"\b(?:start|run|launch|approved?|carry)\b", text, re.IGNORECASE) is not None


class Kind(StrEnum):
    """What somebody may want of a conversation; where one verb fulfils it, by the name of the verb."""

    HELP = "help"
    GREETING = "greeting"
    THANKS = "thanks"
    PROFILE = "profile_data"
    SHOW_PLAN = "show_plan"
    JOB = "job"  # a new job
    EDIT = "edit"  # a change of the current plan
    ANSWER = "answer"  # to the plan's first open question
    START = "start"  # the plan that is ready
    STATUS = "study_status"
    STUDIES = "list_studies"
    EVENTS = "study_events"
    EXPLAIN = "explain_trial"
    COMPARE = "compare_trials"
    CANCEL = "cancel_study"
    PAUSE = "pause_study"
    RESUME = "resume_study"
    EVALUATE = "evaluate_model"
    GENERATE = "ask_model"
    EXPORT = "export_study"
    BUDGET = "study_budget"
    REPORT = "study_report"
    OUTLOOK = "outlook"  # what more trials might bring
    MEANING = "meaning"  # of a hyperparameter
    ASKABLE = "askable"  # a question that nothing here answers
    UNSUPPORTED = "unsupported"  # a job that tunewright does not do
    NOTHING = "nothing"  # not understood


class Wish(Closed):
    """What is wanted, and of what."""

    kind: Kind
    study: str | None = None
    trial: int | None = None
    other: int | None = None
    parameter: str | None = None
    data: str | None = None
    text: str | None = None
    out: str | None = None
    merge: bool = False


class Standing(Closed):
    """What the conversation is at, as far as it decides what words mean."""

    draft: Draft | None = None
    ready: bool = False
    started: bool = False
    question: str | None = None
    study: str | None = None


def wish_of(text: str, standing: Standing) -> Wish:
    """What `text` asks for. Milliseconds; never raises on any text of a sensible length."""
    low = re.sub(r"\b(what|how|who|where|when)s\b", r"\1's", " ".join(text.lower().replace("’", "'").split()))
    if (prompt := _about_the_model(text)) is not None:
        return prompt
    numbers = {"study": study_in(low)} | dict(zip(("trial", "other"), _trials(low), strict=True))
    question = _plain_question(low, standing)
    if question is not None:
        return question.model_copy(update={k: v for k, v in numbers.items() if v is not None})
    return _by_reading(text, low, standing, numbers)


def _plain_question(low: str, standing: Standing) -> Wish | None:
    """A question or command that needs no reading of a request."""
    waits = standing.ready and not standing.started
    if is_yes(low) and waits:
        return Wish(kind=Kind.START)
    if _PHRASES["meaning"].match(low) and (parameter := parameter_in(low)) is not None:
        return Wish(kind=Kind.MEANING, parameter=parameter)
    if _PHRASES["doubt"].match(low):
        return Wish(kind=Kind.EXPLAIN, parameter=parameter_in(low))
    if _PHRASES["estimate"].match(low) and (waits or standing.study) and not _PHRASES["file"].search(low):
        return Wish(kind=Kind.SHOW_PLAN if waits else Kind.BUDGET)
    if _PHRASES["file"].search(low) or _PHRASES["order"].match(low):
        return None
    if _PHRASES["of_the_plan"].match(low):
        return Wish(kind=Kind.STATUS if standing.draft is None else Kind.SHOW_PLAN)
    if _PHRASES["may_i"].match(low):
        return Wish(kind=Kind.ASKABLE)
    kind = next((Kind(name) for kinds in _KINDS for name, pattern in kinds.items() if pattern.match(low)), None)
    if kind is None:
        return None
    return Wish(kind=kind, parameter=parameter_in(low) if kind is Kind.EXPLAIN else None)


def _about_the_model(text: str) -> Wish | None:
    """A prompt for the tuned model: "ask the model: ..."."""
    match = _PHRASES["ask"].match(text)
    if match is None:
        return None
    prompt = (match["rest"] or match["quote"]).strip()
    before = text[: match.start("rest" if match["rest"] else "quote")]
    return Wish(kind=Kind.GENERATE, study=study_in(before.lower()), text=prompt.strip('"“”') or prompt)


_BY_INTENT = {
    Intent.STATUS: Kind.STATUS,
    Intent.EXPLAIN: Kind.EXPLAIN,
    Intent.RESUME: Kind.RESUME,
    Intent.CANCEL: Kind.CANCEL,
    Intent.EVALUATE: Kind.EVALUATE,
    Intent.EXPORT: Kind.EXPORT,
    Intent.HELP: Kind.HELP,
}


def _by_reading(text: str, low: str, standing: Standing, numbers: dict[str, str | int | None]) -> Wish:
    """What the rules reader makes of it, alone or as an edit of the draft."""
    alone = read_request(text)
    spec, intent = alone.spec, alone.spec.intent
    output = {"out": spec.output.dir, "merge": bool(spec.output.merge)}
    if alone.refusal is not None and alone.refusal.kind is RefusalClass.UNSAFE_PATH:
        return Wish(kind=Kind.UNSUPPORTED, text=alone.refusal.message)
    if spec.data.train and _PHRASES["look"].match(low) and not names_a_job(alone):
        return Wish(kind=Kind.PROFILE, data=spec.data.train)
    if standing.draft is not None and _PHRASES["proposal"].match(low):
        return _edit(text, alone, standing)
    if intent in _BY_INTENT:
        kind = Kind.EXPLAIN if intent is Intent.STATUS and numbers["trial"] is not None else _BY_INTENT[intent]
        data = spec.data.test or spec.data.validation or spec.data.train
        return Wish.model_validate({"kind": kind, "data": data, **output, **numbers})
    of_a_study = standing.started or (standing.draft is None and standing.study is not None)  # no plan is being made
    if of_a_study and {quote.field for quote in alone.quotes} <= _OUTPUT and _PHRASES["out"].match(low):
        return Wish.model_validate({"kind": Kind.EXPORT, **output, **numbers})
    if alone.refusal is not None and intent is Intent.UNSUPPORTED and out_of_scope(low):
        return Wish(kind=Kind.UNSUPPORTED, text=alone.refusal.message)
    if _PHRASES["question"].match(low) and not names_a_job(alone):
        return Wish(kind=Kind.ASKABLE)  # a question is no edit
    if (standing.draft is None and standing.study is None) or names_a_job(alone):
        return Wish(kind=Kind.NOTHING if intent is Intent.UNSUPPORTED else Kind.JOB)
    return _edit(text, alone, standing)


_OUTPUT = {"output.dir", "output.merge", "intent"}


def _edit(text: str, alone: Draft, standing: Standing) -> Wish:
    changes = standing.draft is None and alone.spec.intent is not Intent.UNSUPPORTED
    if standing.draft is not None:
        changes = _content(read_request(text, previous=standing.draft)) != _content(standing.draft)
    if changes:
        return Wish(kind=Kind.EDIT)
    return Wish(kind=Kind.ANSWER) if standing.question is not None else Wish(kind=Kind.NOTHING, text=text)


def _content(draft: Draft) -> tuple[object, ...]:
    return draft.spec, draft.rejected, draft.questions, draft.refusal


def names_a_job(draft: Draft) -> bool:
    """Whether a request stands on its own: it says what to do, and on what data."""
    fields = {quote.field for quote in draft.quotes}
    words = " ".join(quote.quote for quote in draft.quotes).lower()
    verbs = "task" in fields or "loss" in fields or _PHRASES["job_verbs"].search(words) is not None
    return "data.train" in fields and verbs and _PHRASES["not_new"].search(words) is None


def study_in(low: str) -> str | None:
    """The study that is spoken of, by its number; `low` in small letters."""
    match = re.search(r"\b(?:study|studies|run|job)\s*(?:number |no\.? ?|nr\.? ?)?#?(\d+)\b", low)
    return match[1] if match else None


def _trials(low: str) -> tuple[int | None, int | None]:
    """The trials named: "trial 3", "trials 3 and 4", "is trial 3 better than trial 4"."""
    match = re.search(
        r"\btrials?\s*#?(?P<one>\d{1,18})\b(?:[^.?!]{0,24}?\b(?:and|with|to|vs|versus|against|than|over|or)\b\.?"
        r"\s*(?:trial\s*)?#?(?P<two>\d{1,18})\b)?",
        low,
    )
    if match is None or re.search(r"\b\d+ trials?\b", low):
        return None, None
    return int(match["one"]), int(match["two"]) if match["two"] else None


def parameter_in(low: str) -> str | None:
    """The hyperparameter that is spoken of, by its name in the configuration."""
    for field, words in WORDS.field_names.items():
        if field.startswith("search.") and re.search(rf"(?<!\w)(?:{words})(?!\w)", low):
            return field.removeprefix("search.")
    match = re.search(r"\b(max_grad_norm|head_lr_ratio|simpo_gamma|label_smoothing)\b", low)
    return match[1] if match else None
