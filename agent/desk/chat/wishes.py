"""What an utterance asks for, by rules: patterns of the chat's own, then the rules reader of requests."""

import re
from enum import StrEnum

from agent.request.draft import Draft, RefusalClass
from agent.request.read import read_request
from agent.request.rules.intents import out_of_scope
from agent.request.rules.vocabulary import WORDS
from trainers.spec import Closed, Intent

_OPENING = r"\W*(?:(?:ok|okay|yes|well|sure|alright|all right|great|good|fine|perfect|please|and|then|now)[\s,.!]+)*"
_YES = re.compile(
    _OPENING + r"(?:y|yes|yep|yeah|yup|ok|okay|sure|approved?|i approve|confirm(?:ed)?|accept(?:ed)?|agreed|lgtm|go|"
    r"go ahead|go for it|do it|start|run|launch|proceed|carry it out|looks good|sounds good|that is fine|"
    r"that's fine|ship it|fire away|yes please|please do|(?:start|run|launch|approve|carry out|do) "
    r"(?:it|this|that|this one|that one|(?:the|this|that) (?:study|plan|run|job|search)))"
    r"(?:[\s,]+(?:please|now|then|thanks|thank you))*[\s.!]*",
    re.IGNORECASE,
)
_NO = re.compile(
    _OPENING.replace("yes|", "")
    + r"(?:n|no|nope|nah|not now|not yet|later|never ?mind|(?:do not|don't)(?: (?:start|run|do)(?: (?:it|that))?)?|"
    r"declined?|reject(?:ed)?|cancel|stop|abort|discard|wait|no thanks|no thank you|"
    r"(?:cancel|decline|reject|discard|drop|forget|leave|scrap) (?:it|this|that|(?:the|this|that) (?:plan|one)))"
    r"(?:[\s,]+(?:please|thanks|thank you|yet|now))*[\s.!]*",
    re.IGNORECASE,
)


def is_yes(text: str) -> bool:
    """Whether the whole utterance is a yes; "yes, but with rank 32" is none."""
    return _YES.fullmatch(text) is not None


def is_no(text: str) -> bool:
    """Whether the whole utterance is a no."""
    return _NO.fullmatch(text) is not None


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


_PATTERNS: tuple[tuple[Kind, str], ...] = (
    (Kind.THANKS, r"\W*(?:many )?(?:thanks|thank you|thx|cheers|ta|great|nice|cool|perfect|awesome)(?: .{0,30})?\W*$"),
    (Kind.GREETING, r"\W*(?:hi|hello|hey|good (?:morning|afternoon|evening)|moin|hallo|bonjour|hola)(?: there)?\W*$"),
    (Kind.HELP, r"\W*(?:help|\?+|what (?:can|do) you (?:do|know|offer).*|how does (?:this|it) work)\W*$"),
    (Kind.PAUSE, r"(?:please )?pause\b.{0,30}$"),
    (Kind.STATUS, r".*\b(?:slow|stuck|frozen|hang(?:s|ing)?)\b|(?:did|have|has) (?:any|some|a) .*fail"),
    (
        Kind.OUTLOOK,
        r".*\b(?:more|further|extra|additional) (?:trials|runs|time)\b.*\b(?:bring|help|gain|improve|change|do)\b|"
        r"(?:should|shall) (?:i|we) (?:run|do|try|go on|continue)\b|what(?:'s)? next\b|"
        r"what (?:should|could|can) (?:i|we) (?:try|do|change|improve)\b|(?:is it )?worth (?:going on|continuing|more)",
    ),
    (
        Kind.COMPARE,
        r".*\b(?:significan(?:t|tly|ce)|noise|luck|by chance|p-?values?|how (?:sure|certain)|confiden(?:t|ce)|trust|"
        r"reliable|zufall|besser als|mejor que|mieux que|good enough)\b",
    ),
    (Kind.EXPLAIN, r".*\b(?:over-?fit\w*|under-?fit\w*|converged?|learning curves?|who proposed)\b"),
    (
        Kind.EXPLAIN,
        r"(?:which|what|show|tell|was|welche)\b.*\b(?:best|winning|won|wins|winner|final|chosen|good)\b.*"
        r"\b(?:rate|rank|hyper-?parameters?|config\w*|settings?|values?|batch|epochs)\b|"
        r"(?:which|what)\b.*\b(?:rate|rank|hyper-?parameters?|config\w*|settings?|values?|batch|epochs)\b.*"
        r"\b(?:best|won|wins|worked|chosen|was used|end up)\b",
    ),
    (
        Kind.REPORT,
        r".*\b(?:confus\w+|(?:worst|best|which|each|per)[- ]class(?:es)?|in python|most important|important\w*|"
        r"matters? (?:the )?most|importance|test (?:set|rows|score))\b|how (?:do|can|should|would) (?:i|we|one) "
        r"(?:load|use|deploy|serve|call)\b.*\b(?:it|model|adapter)\b|where (?:is|are) .*\b(?:files|adapter|plots?)\b",
    ),
    (
        Kind.BUDGET,
        r"how long (?:did|has|have|was|until|till|to go|is left)\b|how (?:much|many) (?:longer|more time|time)\b|"
        r"(?:eta|time left)\W*$|wie lange\b|was hat (?:es|das) gekostet|combien de temps|"
        r"cu[aá]nto (?:tiempo|tarda|falta)",
    ),
    (Kind.EVENTS, r"was ist passiert|qu'est-ce qui s'est pass[eé]|qu[eé] ha pasado"),
    (
        Kind.STATUS,
        r"how (?:good|accurate|well)\b|(?:what(?:'s| is| was| did| does)?|which)\b(?!.*\btrial).*"
        r"\b(?:score|accuracy|f1|loss|perplexity|rouge|bleu|quality)\b|(?:give|show|tell)?.{0,10}\bsummar\w+|"
        r"tell me about (?:the |this |that )?study\b|"
        r"what (?:have|did|has) (?:you|it|we) (?:learn\w*|find|found)",
    ),
    (Kind.STUDIES, r".*\b(?:list|show|which|what|all)\b.{0,20}\bstudies\b"),
    (
        Kind.SHOW_PLAN,
        r"(?:(?:show|print|give|tell|see|repeat|what(?:'s| is| was))\b.{0,12})?\b(?:the |my |current )*plan\W*$",
    ),
    (
        Kind.EVENTS,
        r"(?:.*\bwhat(?:'s| has| is)? (?:just |all )?happen(?:ed|s|ing)\b|.*\bevents?\b|.*\bwhat'?s new\b|log\W*$)",
    ),
    (
        Kind.COMPARE,
        r"(?:.*\b(?:compare|comparison)\b|.*\b(?:better|worse|different|gain|improve\w*)\b.{0,30}\b(?:than|over|from|on|to)\b|"
        r".*\b(?:beats?|versus|vs\.?)\s|.*\bdifference between\b.*\btrial|(?:did|does|has) it (?:help|pay off|work)|"
        r".*\b(?:any|much|is it|was it) better\b|.*\bworth it\b)",
    ),
    (
        Kind.BUDGET,
        r"(?:(?:what|how) .*\b(?:cost|spent|spend|spending|left|remain\w*|budget)\b(?! .*\bwould\b)|"
        r"budget\W*$|costs?\W*$|(?:show|tell|give)\b.*\b(?:budget|costs?|spending)\b|"
        r"how (?:many|much)\b.*\b(?:tokens?|used|trials? left)\b|is there (?:any |enough )?(?:time|budget|money).*)",
    ),
    (
        Kind.STATUS,
        r"(?:(?:show|give|read|open|see|print)\b.{0,12})?\b(?:the )?(?:final )?(?:report|results?|outcome|verdict)\W*$",
    ),
    (Kind.STATUS, r".*\bwhat (?:did|has) (?:it|the study|study #?\d+) (?:found|find|achieve|come up)"),
    (Kind.STATUS, r"(?:are we|is it|is the study) (?:there|done|ready|finished)\b"),
)
_ESTIMATE = re.compile(
    r"(?:(?:how long|how much|how expensive)\b(?!.*\b(?:has|have|had|did|was|left|used|so far)\b)"
    r".*\b(?:would|will|does|takes?|costs?|needs?)|what\b.*\b(?:would|will|does)\b.*\b(?:take|cost|need))\b"
)
_DOUBT = re.compile(
    r"(?:^|.*[,;.?!] ?)(?:(?:and|but|so|then|ok|okay|hm+|please|tell me|can you|could you) )*"
    r"(?:why|how come|what made|justify|explain(?! how (?:this|it|you|to))|what(?:'s| is| was) the reason|"
    r"where does .* come from)\b"
)
_ORDER = re.compile(
    r"(?:(?:please|now|then|and|also|can you|could you|i want to|i'd like to|let's|hey|hi|hello)[ ,]+)*"
    r"(?:classify|fine-?tune|tune|train|finetune|qlora|lora|dpo|sft|teach|build)\b"
)


def _plain_question(low: str, standing: Standing) -> Wish | None:
    """A question or command that needs no reading of a request."""
    waits = standing.ready and not standing.started
    if is_yes(low) and waits:
        return Wish(kind=Kind.START)
    if _MEANING.match(low) and (parameter := parameter_in(low)) is not None:
        return Wish(kind=Kind.MEANING, parameter=parameter)
    if _DOUBT.match(low) and not re.search(r"\b(?:slow|stuck|long)\b", low):
        return Wish(kind=Kind.EXPLAIN, parameter=parameter_in(low))
    if _ESTIMATE.match(low) and (waits or standing.study) and not _FILE.search(low):
        return Wish(kind=Kind.SHOW_PLAN if waits else Kind.BUDGET)
    if _FILE.search(low) or _ORDER.match(low):
        return None
    if _OF_THE_PLAN.match(low):
        return Wish(kind=Kind.STATUS if standing.draft is None else Kind.SHOW_PLAN)
    if _MAY_I.match(low):
        return Wish(kind=Kind.ASKABLE)
    for kind, pattern in _PATTERNS:
        if re.match(pattern, low):
            return Wish(kind=kind, parameter=parameter_in(low) if kind is Kind.EXPLAIN else None)
    return None


_MEANING = re.compile(
    r"(?:what(?:'s| is| are| does| do)|define|explain|meaning of)\b"
    r"(?!.*\b(?:best|good|used?|win\w*|won|final|chosen|here|trials?|next|try)\b).*"
)
_OF_THE_PLAN = re.compile(
    r"(?:what|which) (?:base )?(?:model|data|file|columns?|metric|task|adapter)\b.*"
    r"\b(?:you|we|it|this|use|using|used)\b|what did i (?:ask|say|want)\b|how many rows\b"
)
_MAY_I = re.compile(r"(?:can|may|could|should) (?:i|we) (?:stop|cancel|pause|resume)\b|what happens (?:if|when)\b")
_PROPOSAL = re.compile(r"(?:what if|how about|what about)\b")
_QUESTION = re.compile(
    r"(?:(?:and|but|so|then|ok|okay|hm+|well|please|also)[ ,]+)*(?!what if\b|how about\b|what about\b|why not\b|"
    r"would you\b|could you\b|can you\b|will you\b)(?:what|why|how|which|who|whose|when|where|is|are|was|were|did|does|"
    r"has|had|do (?:you|i|we|they|these|those)|have (?:you|we|i|they)|(?:will|would|could|can|should|may|might) "
    r"(?:i|it|we|they|this|that|there|the|a|more|fewer)|tell me|wie|warum|wann|wer|wo|welche[rs]?|ist|sind|hat|haben|"
    r"comment|pourquoi|quand|combien|est-ce|qu[eé]|c[oó]mo|por qu[eé]|cu[aá]ndo|cu[aá]nto)\b"
)


_FILE = re.compile(r"\.(?:csv|tsv|jsonl?|parquet|txt)\b|stdlib:")
_ASK = re.compile(
    r"\s*(?:please\s+)?(?:(?:ask|prompt|query|tell|try|test|use|run)\b(?:\s+(?:the|my|our|this|that|your|best|tuned|new|"
    r"trained|fine-tuned|final|model|adapter|classifier|it|on|of|with|out|study|text|sentence|example|input|\#?\d+))*|generate|predict|"
    r"classify(?:\s+(?:this|the following|the text))?|what (?:does|would|will) (?:it|the (?:tuned |best )?model) "
    r"(?:say|answer|predict|give)(?:\s+(?:to|for|about|on))?)\s*(?::\s*(?P<rest>\S.*)|[\"“'](?P<quote>[^\"”]+)[\"”'])[\s?.!]*$",
    re.IGNORECASE | re.DOTALL,
)


def _about_the_model(text: str) -> Wish | None:
    """A prompt for the tuned model: "ask the model: ..."."""
    match = _ASK.match(text)
    if match is None:
        return None
    prompt = (match["rest"] or match["quote"]).strip()
    before = text[: match.start("rest" if match["rest"] else "quote")]
    return Wish(kind=Kind.GENERATE, study=study_in(before.lower()), text=prompt.strip('"“”') or prompt)


_LOOK = re.compile(
    r"(?:what(?:'s| is| are| does| do| kind)\b|how (?:many|big|large|long)\b|which columns|describe\b|profile\b|"
    r"inspect\b|look (?:at|into)\b|check\b|open\b|(?:show|tell)(?: me)?\b|summari[sz]e\b|examine\b|columns\b|preview\b)"
)
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
    if spec.data.train and _LOOK.match(low) and not names_a_job(alone):
        return Wish(kind=Kind.PROFILE, data=spec.data.train)
    if standing.draft is not None and _PROPOSAL.match(low):
        return _edit(text, alone, standing)
    if intent in _BY_INTENT:
        kind = Kind.EXPLAIN if intent is Intent.STATUS and numbers["trial"] is not None else _BY_INTENT[intent]
        data = spec.data.test or spec.data.validation or spec.data.train
        return Wish.model_validate({"kind": kind, "data": data, **output, **numbers})
    of_a_study = standing.started or (standing.draft is None and standing.study is not None)  # no plan is being made
    if of_a_study and {quote.field for quote in alone.quotes} <= _OUTPUT and _OUT.match(low):
        return Wish.model_validate({"kind": Kind.EXPORT, **output, **numbers})
    if alone.refusal is not None and intent is Intent.UNSUPPORTED and out_of_scope(low):
        return Wish(kind=Kind.UNSUPPORTED, text=alone.refusal.message)
    if _QUESTION.match(low) and not names_a_job(alone):
        return Wish(kind=Kind.ASKABLE)  # a question is no edit
    if (standing.draft is None and standing.study is None) or names_a_job(alone):
        return Wish(kind=Kind.NOTHING if intent is Intent.UNSUPPORTED else Kind.JOB)
    return _edit(text, alone, standing)


_OUTPUT = {"output.dir", "output.merge", "intent"}
_OUT = re.compile(
    r"(?:please )?(?:export|merge|save|download|give|hand|copy|write)\b.*"
    r"\b(?:it|adapter|model|weights|study|results?)\b"
)


def _edit(text: str, alone: Draft, standing: Standing) -> Wish:
    changes = standing.draft is None and alone.spec.intent is not Intent.UNSUPPORTED
    if standing.draft is not None:
        changes = _content(read_request(text, previous=standing.draft)) != _content(standing.draft)
    if changes:
        return Wish(kind=Kind.EDIT)
    return Wish(kind=Kind.ANSWER) if standing.question is not None else Wish(kind=Kind.NOTHING, text=text)


def _content(draft: Draft) -> tuple[object, ...]:
    return draft.spec, draft.rejected, draft.questions, draft.refusal


_JOB_VERBS = re.compile(
    r"\b(?:classif(?:y|ier)|fine-?tun\w+|tune|qlora|lora[- ]tune|train (?:a|an|the|my)|teach|dpo|sft)\b"
)
_NOT_NEW = re.compile(r"\b(?:instead|rather|make (?:it|that)|change|switch|also|too)\b")


def names_a_job(draft: Draft) -> bool:
    """Whether a request stands on its own: it says what to do, and on what data."""
    fields = {quote.field for quote in draft.quotes}
    words = " ".join(quote.quote for quote in draft.quotes).lower()
    verbs = "task" in fields or "loss" in fields or _JOB_VERBS.search(words) is not None
    return "data.train" in fields and verbs and _NOT_NEW.search(words) is None


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
