"""What a request wants done: intent, task, method and loss, the study it names, and what is out of scope."""

import re

from agent.request.draft import RefusalClass
from agent.request.reading import Claim, Reading
from agent.request.vocabulary import ADAPTERS, LOSSES, METRICS, TASKS_STRONG, TRAIN_VERBS
from trainers.spec import Adapter, Intent, Loss, Task

_POLITE = (
    r"^\W*(?:(?:please|pls|hey|hi|hello|ok|okay|so|now|then|and|can|could|would|will|you|i|we|want|need|to|like|'d|i'd|let's|lets|just|kindly|"
    r"go ahead|quick(?:ly)?|question|there|thanks|me|us|tunewright)[\s,:!]+)*"
)
_THING = r"(?:stud(?:y|ies)|job|run|search|sweep|trial|training|experiment|it|everything|tuning|all|that|this|current|running|last|latest|my|the)"
_CONTROL: tuple[tuple[Intent, str], ...] = (
    (Intent.HELP, r"(?:help(?: me)?(?: please)?\W*$|help\b(?! (?:me )?(?:to )?(?:fine|train|tune|build|class))|what (?:can|do) (?:you|i) |what (?:are|is) (?:you|this|tunewright)\b|how (?:do|can|should) (?:i|you|we) |how does (?:this|it|tunewright)|which (?:tasks?|models?|losses|metrics?|methods?|formats?|adapters?) (?:do|are|can|does)|what (?:tasks?|models?|losses|metrics?|methods?|formats?|adapters?|data|commands|options) (?:do|are|can|does)|usage\b|(?:list|show)(?: me)? (?:the |all )*(?:commands|options)|(?:hi|hello|hey|thanks|thank you)\W*$|explain how (?:this|you|it|tunewright)|show me (?:an example|how))"),
    (Intent.EXPLAIN, r"(?:why\b|how come\b|what made\b|explain\b|justify\b|what(?:'s| is| was) the reason\b|(?:tell|show) me why\b)"),
    (Intent.RESUME, rf"(?:pick \x00* ?(?:it |that |the study |the run )?(?:up|back up) ?(?:again)?|resume|continue|pick up|carry on|restart|unpause|go on|proceed|keep going)\b(?=\W*$|\W*\x00|\W+(?:with |from |where )?(?:the )?(?:\w+ )?(?:{_THING}|\#?\d+|where))"),
    (Intent.CANCEL, rf"(?:cancel|abort|kill|terminate|halt|quit|stop|end|interrupt|shut down)\b(?=\W*$|\W*\x00|\W+(?:with )?(?:the )?(?:\w+ )?(?:{_THING}|\#?\d+|now))(?!\W+(?:at|when|once|after|early))"),
    (Intent.STATUS, rf"(?:how(?:'s|s| is| are| far| did)\b(?! (?:the weather|it possible))|what(?:'s|s| is| are)? (?:the )?(?:status|progress|state|running|eta|current best|best (?:trial|score|config\w*) (?:so far|of|in))\b|status\b|progress\b|is (?:{_THING}\W+)*(?:\d+ )?(?:done|finished|complete|still|running|over)|are (?:{_THING} ?)*(?:we|they)? ?(?:done|finished|still)|(?:show|list|give|check|tell)(?: me)?(?: (?:the|all|my|on|about))* (?:status|progress|stud(?:y|ies)|trials|results|runs|jobs|leaderboard|best (?:trial|score))\b|which (?:trials?|stud(?:y|ies)|config\w*)\b|when (?:will|is)\b|has (?:{_THING} ?)+|did (?:{_THING}\b)|any (?:news|progress|update)|where (?:are we|is)|how many trials|what happened|(?:what|which|how|did|does|compare|summari[sz]e|show|where)\b[^\x00]*\x00{{5}})"),
    (Intent.EVALUATE, r"(?:evaluate|eval|score|benchmark|assess|measure|test|check the (?:accuracy|quality|score)|how (?:good|well|accurate))\b(?=\W+(?:the |my |our |this |that |is |does )*(?:\w+ )?(?:adapter|model|checkpoint|lora|\x00|it\b|best|study|on\b|how|performance|quality))"),
    (Intent.EXPORT, r"(?:export|merge|package|save|download|convert|give me)\b(?=\W+(?:the |my |our |and merge |best |final |tuned |trained |merged |winning )*(?:adapter|model|checkpoint|weights|lora|stud(?:y|ies)|\x00|it\b|result|\#?\d))"),
)  # fmt: skip
"""Requests about what exists already; they open the request, after pleasantries."""

_PLAN = (
    r"dry[- ]?run|(?:just|only) (?:plan|estimate|the plan|a plan|show (?:me )?(?:the |a )?plan)|plan (?:only|first|for|a|an|the|it|out|to|how|what)|^\W*(?:please )?plan\b|"
    r"(?:show|give|make|draft|see|prepare|print|write)(?: me)? (?:the |a |me )*(?:plan|cost estimate|estimate)\b|what would (?:it|this|that|be|happen|you)\b[^?.]*|"
    r"how (?:long|much|expensive|many hours)(?: \w+)? (?:would|will|does|should|is|might|could)\b|"
    r"how much (?:time|memory|vram|gpu|money)|estimate (?:the |how |what )?|preview\b|(?:do not|don't|dont|without|before) (?:actually )?(?:start(?:ing)?|run(?:ning)?|launch(?:ing)?|train(?:ing)? (?:yet|anything)|spend(?:ing)?|execut\w+)(?! more| longer| over)(?: (?:anything|it|yet|any|training))*|"
    r"no training yet|(?:nothing|not) (?:to be )?(?:run|started|trained) yet|would (?:it|this|that) (?:fit|cost|take|work)|what (?:does|will) (?:it|this|that) (?:cost|take)|cost estimate|before i commit"
)
_MODALITY = (
    r"(?:images?|photos?|pictures?|videos?|audio|mri|x-?rays?|ct[- ]scans?|scans|pixels?|speech recordings?|recordings?|voices?|music|songs?|"
    r"point clouds?|satellite|radiographs?|spectrograms?|webcam|footage|drawings?|paintings?|faces?|mp3s?|wavs?|pngs?|jpe?gs?)"
)
_OUT_OF_SCOPE = (
    rf"(?:classify|categori[sz]e|segment|detect|caption|generate|recogni[sz]e|label|sort|describe|train on|tune on|denoise|colori[sz]e|tag|transcribe|edit|create|draw|identify|count|spot|find)\b[^.;\n]{{0,50}}?(?<![\w-]){_MODALITY}(?![\w-]| captions?| titles?| descriptions?| games?| reviews?| transcripts?| lyrics| comments?)|"
    r"(?:image|photo|picture|video|audio|object|pose|face|facial|medical|speech|music|pixel|instance|semantic|voice)[- ](?:classif\w+|segment\w*|caption\w*|generat\w+|detect\w+|recogni\w+|estimation|synthesis|cloning|separation|tagging|to[- ]text)|"
    r"segment(?:s|ing|ation)?\b|bounding boxes|ocr|text[- ]to[- ](?:speech|image|video|music)|speech[- ]to[- ]text|tts|asr|transcri(?:be|ption)|whisper|"
    r"stable[- ]diffusion|sdxl|diffusion|dreambooth|\bgans?\b|yolo(?:v\d+)?|resnet-?\d*|convnets?|cnns?|vi-?t(?:-\w+)?|clip model|vision[- ]language|vlms?|llava|multimodal|"
    r"tabular|regress(?:ion|or)?|xg-?boost|lightgbm|catboost|random forests?|gradient[- ]boost\w*|decision trees?|svms?|logistic regression|linear model|time[- ]series|forecast\w*|"
    r"(?:predict|estimate)(?:ing|s)? (?:the |our |next |future |tomorrow's |daily |monthly |house |home |stock |used )*(?:\w+ )?(?:prices?|sales|churn|demand|temperatures?|revenue|stock|stocks|rent|weather|salary|salaries|age|values?|energy|load)\b|"
    r"anomal(?:y|ies)|cluster(?:s|ing)?(?! of)|recommend(?:er|ation)s?(?: (?:system|engine|model))?|collaborative filtering|"
    r"pre-?train(?:ing)?(?! model)(?! weights)(?! checkpoint)\b(?=.*(?:scratch|corpus|billion|tokens|wikipedia|new|own|llm|language model|\bfrom\b))|from scratch|from zero|new foundation model|"
    r"rlhf|ppo|grpo|rloo|reinforcement(?:[- ]learning)?|reward[- ]model(?:l?ing|s)?|\brl\b|policy gradient|self-play|"
    r"(?:named[- ]entit(?:y|ies)|ner|token classification|pos[- ]tagg\w+)|(?:graph|molecule|protein|gene)s? (?:neural|network|classif\w+|generat\w+|fold\w+|embedding\w*)|gnn|"
    r"(?:train|fine-?tune|learn|build) (?:an? |our |the )?(?:sentence |text |word )?embeddings?(?: model)?|contrastive|retriever|reranker|cross-encoder|"
    r"knowledge distillation|distill(?:ation)?|federated|robot\w*|self-driving|play (?:chess|go|atari|games)|atari|gym environment"
)
"""Kinds of machine learning that this program does not do."""

_OUT_OF_SCOPE_CHORES = (
    r"scrap(?:e|es|ing|er)|crawl(?:er|ing)?|(?:write|code|implement|generate|create|debug|fix|refactor)(?: me| us| up)?(?: (?:a|an|some|the|my|this|short|new|simple|small))* (?:python|code|script|function|program|app|website|web ?page|html|sql|regex|bash|unit tests?|poem|essay|haiku|story|song|email|letter|blog|tweet|cv|resume|java\w*|class|api|game)\b|"
    r"deploy(?:ing|ment)?|serv(?:e|ing)\b(?! as)|host(?:ing)?|endpoint|kubernetes|docker|rest api|gguf|ollama|quanti[sz]e|buy|order|rent|book|purchase|"
    r"jokes?|weather|capital of|recipe|who (?:is|was|are|won)|translate (?:this|the following)|tell me (?:a|about)|sing|restaurant|flight|"
    r"label (?:my |the )?(?:data|dataset) (?:by hand|manually|for me)|annotate|collect (?:data|tweets)|download|sell|trade|invest|bitcoin|send (?:an? )?email|calendar|remind|"
    r"summari[sz]e (?:this|the following)|what is (?:the|a|an)\b|define|calculate|solve|proofread|design a|plot|draw|hack|crack"
)
"""Other work; it makes a request unsupported when nothing in it is about tuning."""

_STRONG_VERBS = r"(?:(?:q?lora|rslora|dora|instruction|instruct|preference|full|re)?[- ]?)?(?:fine[- ]?tun(?:e|es|ed|ing)|finetun(?:e|es|ed|ing)|tun(?:e|ing)|(?:re)?train(?:ing)?|ft)|hyper-?parameter (?:search|optimi[sz]ation|tuning|sweep)|hpo|sweep"
_MODEL_NOUN = r"(?:models?|classifiers?|adapters?|llms?|language model|chat ?bots?|assistants?|lora|network|weights|checkpoint|bert|encoder|detector|filter)"
_DROPS_THE_REST = (Intent.STATUS, Intent.EXPLAIN, Intent.CANCEL, Intent.HELP, Intent.UNSUPPORTED)


_PAST = re.compile(
    r"(?:last|previous|earlier|prior) (?:run|time|attempt|experiment|try|study|month|week|year)s?\b[^.!?;\n]*?\b(?:took|got|gave|reached|was|had|"
    r"scored|needed|failed|crashed|ran|cost|achieved|did)\b[^.!?;\n]*(?:\.\d[^.!?;\n]*)*"
)
"""What happened before, told as background: its numbers are no wishes."""


def read_negations(reading: Reading) -> None:
    """Mask what the request says it does not want, so that it is not read as wanted."""
    for match in _PAST.finditer(reading.text.left):
        reading.text.consume(*match.span())
    merge = reading.find(
        r"(?:do not|don't|dont|never|no|without|not)(?: (?:to|need|want|a|any|to be))*\s+merg(?:e|ed|ing)(?: (?:the |it |in )?(?:adapter|weights|lora|it)?)?|unmerged|keep (?:the )?adapter (?:separate|unmerged)"
    )
    if merge:
        reading.claim("output.merge", False, merge.start(), merge.end())
    for match in reading.find_all(ADAPTERS[Adapter.FULL]):
        reading.claim("adapter", Adapter.FULL, match.start(), match.end())
    wanted = [p for a, p in ADAPTERS.items() if a is not Adapter.FULL] + list(METRICS.values()) + list(LOSSES.values())
    term = rf"(?:{'|'.join(wanted + list(TASKS_STRONG.values()))}|f-?1(?:[- ]score)?|dropout|warm-?up|weight decay|loss|adapters?|early stopping|quanti[sz]ation|cosine|linear)"
    filler = r"(?:(?:use|using|do|want|need|the|a|an|any|by|on|for|optimi[sz]e|optimi[sz]ing|maximi[sz]e|plain|just|with|to|be|about|it|is|as|apply|run|try|me|of)\s+)*"
    negator = r"(?:(?:do not|don't|dont|does not|doesn't) (?:care|worry|mind|bother)(?: much)?(?: about)?|not|no|without|don't|dont|do not|doesn't|instead of|rather than|never|avoid|skip|forget(?: about)?|isn't|nor|neither|in place of)"
    for match in reading.find_all(
        rf"{negator}\s+{filler}{term}(?:\s*(?:,|or|and|nor|/)\s*(?:{term}))*(?:\s+(?:loss|metric|score))?"
    ):
        if not match.group().startswith("not only"):
            reading.text.consume(match.start(), match.end())


def read_study(reading: Reading) -> None:
    """The study and trial that a request names; not fields of the spec."""
    if match := reading.find(
        r"(?:stud(?:y|ie)|job|experiment|sweep)\s*(?:number |no\.? ?|nr\.? ?|id |named |called )?[#:]?\s*(?P<id>\d+|[a-z]*[-_]?[a-z\d]*\d[\w-]*)"
    ):
        reading.study = reading.text.cased[match.start("id") : match.end("id")]
        reading.text.consume(match.start(), match.end())
    elif match := reading.find(
        r"(?:run|status|resume|cancel|export|stop|report|explain|continue|abort|kill|show)\s+(?:of |the |number )*#?(?P<id>\d+)(?=\W*$|\s+(?:to|into|and|now|please|with|again)\b)"
    ) or re.search(r"#(?P<id>\d+)", reading.text.left):
        reading.study = match["id"]
        reading.text.consume(match.start("id"), match.end("id"))
    if match := reading.find(
        r"trial\s*(?:number |no\.? ?|nr\.? ?|#)?\s*(?P<id>\d+)(?!\s*(?:trials|hours))"
    ) or reading.find(r"(?:the )?(?P<id>\d+)(?:st|nd|rd|th) trial"):
        reading.trial = int(match["id"])
        reading.text.consume(match.start(), match.end())


def read_control(reading: Reading) -> Intent | None:
    """The intent of a request about what exists already, claimed; None for all others."""
    opening = rf"(?:{_POLITE}|(?<=[,.;!]) (?:please |now |so |then |and )*)" if _names_a_study(reading) else _POLITE
    for intent, words in _CONTROL:
        match = re.search(rf"{opening}(?P<said>{words})", _visible(reading))
        if match and not _is_training(reading, intent, match):
            reading.claim("intent", intent, match.start("said"), match.end("said"), consume=False)
            return intent
    return None


def _names_a_study(reading: Reading) -> bool:
    return reading.study is not None and not reading.has("data.train")


def _visible(reading: Reading) -> str:
    return reading.text.left.rstrip()


def _is_training(reading: Reading, intent: Intent, match: re.Match[str]) -> bool:
    """Whether a request that opens like a question about a study asks for training after all."""
    rest = reading.text.left[match.end() :]
    if intent in (Intent.HELP, Intent.STATUS, Intent.EXPLAIN):
        planned = re.search(_PLAN, reading.text.clean) is not None and reading.study is None
        return planned or (intent is not Intent.HELP and reading.has("data.train") and intent is not Intent.EXPLAIN)
    return re.search(rf"(?<![\w-]){_STRONG_VERBS}(?![\w-])", rest) is not None and intent in (
        Intent.EVALUATE,
        Intent.EXPORT,
    )


def read_methods(reading: Reading) -> None:
    """Claim loss, adapter and output.merge; a preference loss states its task too."""
    for loss, words in LOSSES.items():
        for match in reading.find_all(words):
            if loss is Loss.HINGE and match.group() == "hinge" and not reading.find("loss|dpo|preference|pairs"):
                continue
            reading.claim("loss", loss, match.start(), match.end())
            if loss not in (Loss.SIGMOID, Loss.HINGE) or re.search("dpo|slic", match.group()):
                reading.claim("task", Task.PREFERENCE, match.start(), match.end(), consume=False)
    for adapter, words in ADAPTERS.items():
        for match in reading.find_all(rf"(?:{words})(?:[- ](?:adapters?|tun(?:e|ing)))?"):
            verb = match.group().endswith(("tune", "tuning"))
            reading.claim("adapter", adapter, match.start(), match.end(), consume=not verb)
    if match := reading.find(
        r"merg(?:e|ed|ing)(?: (?:the |it |them |everything )?(?:final |best |lora )?(?:adapter|weights|lora|model|result|checkpoint)?)?"
    ):
        reading.claim("output.merge", True, match.start(), match.end())


def read_task(reading: Reading) -> None:
    """Claim the task from the words for it; a task already claimed by its columns or loss stands."""
    if reading.has("task"):
        return
    found: list[tuple[Task, re.Match[str]]] = []
    for task, words in TASKS_STRONG.items():
        if match := reading.find(words):
            found.append((task, match))
            reading.text.consume(*match.span())
    roles = {c.field.rpartition(".")[2]: c for c in reading.claims if c.field.startswith("data.columns.")}
    for task, role in (
        (Task.PREFERENCE, "rejected"),
        (Task.CLASSIFICATION, "label"),
        (Task.SFT, "completion"),
        (Task.SFT, "messages"),
    ):
        if role in roles and not found:
            reading.infer("task", task, f"the request names a {role} column")
    for task, match in found:
        reading.claim("task", task, match.start(), match.end())


def read_intent(reading: Reading, original: str, *, editing: bool = False) -> None:
    """Claim train, plan or unsupported for a request that is not about an existing study.

    `original` is the text before other readers consumed it, with hidden orders masked.
    """
    tuning = _compiled_search(_STRONG_VERBS, original)
    about = tuning is not None or any(
        c.field in ("data.train", "base_model", "adapter", "loss") for c in reading.claims
    )
    about = about or editing
    out = _compiled_search(_OUT_OF_SCOPE, original) or (
        None if about else _compiled_search(_OUT_OF_SCOPE_CHORES, original)
    )
    evidence = _evidence(reading, original, tuning)
    plan = _compiled_search(_PLAN, original)
    if reading.refusal and evidence is None:
        evidence = (0, max(len(original), 1))
    if out is None and evidence is not None:
        start, end = plan.span() if plan else evidence
        reading.claim("intent", Intent.PLAN if plan else Intent.TRAIN, start, end, consume=False)
        return
    if not original.strip(" \x00\n\t") and not reading.ignored:
        return
    start, end = out.span() if out else (0, len(original))
    reading.claim("intent", Intent.UNSUPPORTED, start, end, consume=False)
    said = reading.text.quote(start, end)[:80]
    reading.refuse(
        RefusalClass.UNSUPPORTED_TASK,
        f'"{said}" is not something tunewright does: it fine-tunes language models on text (classification, supervised '
        "fine-tuning, preference tuning). Name a text data set and one of these tasks.",
    )


def _evidence(reading: Reading, original: str, tuning: re.Match[str] | None) -> tuple[int, int] | None:
    """The words that show that a model is to be trained."""
    if tuning:
        return tuning.span()
    weak = _compiled_search(TRAIN_VERBS, original)
    stated: dict[str, Claim] = {}
    for claim in reading.claims:
        stated.setdefault(claim.field, claim)
    anchored = any(name in stated for name in ("data.train", "base_model", "adapter", "loss")) or bool(
        _compiled_search(_MODEL_NOUN, original)
    )
    if weak and anchored:
        return weak.span()
    for name in ("task", "loss", "adapter", "data.train", "base_model"):
        if name in stated and (name != "task" or anchored or stated[name].value is not Task.SFT):
            return stated[name].start, stated[name].end
    searched = next(
        (
            c
            for name, c in stated.items()
            if name.startswith(("search.", "budget.", "objective.", "data.", "seed", "constraints.", "output."))
        ),
        None,
    )
    return (searched.start, searched.end) if searched else None


def _compiled_search(pattern: str, text: str) -> re.Match[str] | None:
    return re.search(rf"(?<![\w-])(?:{pattern})(?![\w])", text)


def read_knowledge_question(reading: Reading, original: str) -> Intent | None:
    """Claim help for a question about methods that names no data: "what is the difference between LoRA and DoRA?"."""
    terms = "|".join(
        [
            *ADAPTERS.values(),
            *LOSSES.values(),
            *METRICS.values(),
            *TASKS_STRONG.values(),
            "learning rate|rank|epochs|batch size|beta|trials?|tunewright|overfitting|columns?|formats?|files?|studies|fine-?tun(?:e|ing)|hyperparameters?",
        ]
    )
    asks = re.search(
        rf"{_POLITE}(?P<said>(?:what(?:'s| is| are| does| do)?|which|when should|should i|is|are|does|do you|can you explain|how|difference between|tell me about)\b[^\n]*?(?<!\w)(?:{terms})(?!\w)[^\n]*)",
        original.rstrip(),
    )
    data = any(c.field.startswith("data.") for c in reading.claims)
    if (
        asks is None
        or data
        or not re.search(r"\?|difference|^\W*what", original)
        or re.search(_PLAN, original)
        or re.search(r"(?:is|are|can|could) (?:it|you|we)\b.*\bto?\b (?:fine|train|tune)", original)
    ):
        return None
    reading.claim("intent", Intent.HELP, asks.start("said"), asks.end("said"), consume=False)
    return Intent.HELP


def keep_what_counts(reading: Reading) -> None:
    """Drop claims that mean nothing under the intent: a status request has no batch size."""
    intent = next((claim.value for claim in reading.claims if claim.field == "intent"), None)
    if intent in _DROPS_THE_REST:
        reading.claims = [claim for claim in reading.claims if claim.field == "intent"]
        reading.inferred.clear()
        reading.questions.clear()
