"""Files, hub ids and models in a request, and the fields they fill."""

import re

from agent.request.draft import RefusalClass, Rejected
from agent.request.rules.claims import NOT_WANTED, Reading
from agent.request.rules.names import SAVED, read_bare_dataset, read_bare_model, read_bare_output
from agent.request.rules.paths import EXTENSION, Location, find_locations, is_unsafe
from agent.request.rules.vocabulary import DATASET_NAMES, MODEL_FAMILIES

_SAVE = (
    r"(?:sav(?:e|ed|ing)|writ(?:e|ten|ing)|stor(?:e|ed|ing)|put(?:ting)?|output(?:s|ting)?|dump|"
    r"plac(?:e|ing)|export(?:ed|ing)?|"
    r"keep|deliver|drop|leave|results?|artifacts?|out)"
)

_SAVE_ORDER = (
    rf"(?<![\w-])(?<!i )(?<!we )(?<!they )(?:save|store|write|put|export|dump|output)(?:[ _.-]?dir(?:ectory)?)?"
    rf"(?: {SAVED})*(?:(?: (?:to|in|into|under|as|at|folder|path))+|\s*[:=])"
)
"""What tells this program where to write; "stored in" tells where the data are."""

_ROLES: tuple[tuple[str, str], ...] = (
    (
        "output.dir",
        rf"(?:{_SAVE}(?![\w-])[^.;,\n]{{0,40}}?\b(?:to|in|into|under|at|as|go to|dir|directory|folder|"
        r"path)|(?:output|results?|save)(?:[ _-]?(?:dir|directory|folder|path|to))?\s*[:=]?|"
        rf"{_SAVE} (?:it|them|everything|the (?:adapter|model|results?)))",
    ),
    (
        "data.test",
        r"(?:test(?:ed|ing)?|hold[- ]?out|held[- ]out|final evaluation)(?:[ -]?(?:set|split|data|file|"
        r"part))?(?: (?:it|the (?:result|model|adapter)))?(?: (?:is|are|on|with|against|in|from|using|"
        r"being|comes from|afterwards on|at the end on))*\s*[:=]?",
    ),
    (
        "data.validation",
        r"(?:validat(?:e|es|ed|ing|ion)|valid|val|dev(?:elopment)?|eval(?:uate|uated|uating|"
        r"uation)?)(?:[ -]?(?:set|split|data|file|part))?(?: (?:it|the (?:result|model|"
        r"adapter)))?(?: (?:is|are|on|with|against|in|from|using|being|comes from|"
        r"during training on))*\s*[:=]?",
    ),
    (
        "base_model",
        r"(?:(?:base[- ]?|starting |start |pre-?trained |foundation )?(?:model|checkpoint|weights|"
        r"backbone|llm|encoder)|base|start(?:ing)? (?:from|with|at)|initiali[sz]ed? (?:from|with)|"
        r"init from|on top of|based on)(?: (?:is|at|in|from|called|named|should be|must be|to|"
        r"under))*\s*[:=]?",
    ),
    (
        "data.train",
        r"(?:(?:training[- ])?(?:data|dataset|examples|corpus|files?|rows|samples|pairs|set)|"
        r"train(?:ing)?[- ](?:on|with|from|set|file|data|split)|(?<!based )(?<!top )on)(?: (?:is|are|"
        r"in|at|from|called|named|live in|lives in|sits in|to))*\s*[:=]?",
    ),
)

_TUNE = (
    r"(?:tun(?:e|ing)|finetun(?:e|ing)|train(?:ing)?|adapt|teach|improve|take|use|using|with|"
    r"qlora|dora|lora|for|of|merge|full|via|specialize|specialise|customi[sz]e|retrain|align)"
)

_ARTICLES = (
    r"(?:\s+(?:the|our|my|a|an|this|local|file|files|folder|directory|hub|hf|hugging ?face|small|"
    r"base|model|named|called|id|dataset|existing))*\s*$"
)


def read_locations(reading: Reading) -> None:
    """Claim data.train, data.validation, data.test, base_model and output.dir, and refuse unsafe paths."""
    found = find_locations(reading)
    for location in found:
        role = _role(reading, location)
        if re.search(NOT_WANTED, reading.before(location.start)):
            reading.text.consume(location.start, location.end)
            continue
        if is_unsafe(location.value):
            _reject(reading, role, location)
        elif role and role.startswith("data.") and _is_output_file(reading, location, found):
            rule = "the output must be a directory and not a file of data"
            reading.refuse_value("output.dir", location.start, location.end, rule)
        elif role and not (role == "data.train" and reading.has("data.train") and _is_extra(reading, location)):
            reading.claim(role, location.value, location.start, location.end)
        reading.text.consume(location.start, location.end)
    read_bare_output(reading)
    read_bare_model(reading)
    if not reading.has("data.train") and reading.refusal is None:
        read_bare_dataset(reading)


def _role(reading: Reading, location: Location) -> str | None:
    """The field a location fills, from the words before it, its form, and what is still open."""
    before = reading.before(location.start)
    is_file = re.search(rf"\.(?:{EXTENSION})$", location.value, re.IGNORECASE) is not None
    after = reading.text.clean[location.end : location.end + 30]
    is_set = re.match(r"[\"'`]? +(?:data ?set|data|corpus|pairs)(?![\w/.:=-])", after) is not None
    modelish = re.search(rf"(?<![a-z]){MODEL_FAMILIES}", location.value.lower()) is not None
    if location.kind == "builtin":
        return _data_role(reading, before, location)
    for role, words in _ROLES:
        if not re.search(rf"(?<![\w-]){words}{_ARTICLES}", before):
            continue
        if role == "output.dir" and is_file and not is_unsafe(location.value):
            continue
        if (role == "base_model" and (is_file or _is_data(location.value))) or (
            role == "data.train" and modelish and not is_file
        ):
            continue
        if (
            role == "data.validation"
            and not reading.has("data.train")
            and re.search(r"eval\w* (?:\w+ )?on\W*$", before)
        ):
            continue
        return role
    if is_file or is_set or _is_data(location.value):
        return _data_role(reading, before, location)
    if (
        modelish
        or re.search(rf"(?<![\w-]){_TUNE}{_ARTICLES}", before)
        or re.match(r"[\"'`]? +(?:model|checkpoint)\b", after)
    ):
        return "base_model" if not reading.has("base_model") or modelish else "data.train"
    if re.search(r"(?:^|/)(?:models?|checkpoints?|weights)/", location.value):
        return "base_model"
    return "data.train" if not reading.has("data.train") else "base_model"


def _data_role(reading: Reading, before: str, location: Location) -> str:
    for role, words in _ROLES[1:3]:
        if re.search(rf"(?<![\w-]){words}{_ARTICLES}", before):
            return role
    stem = re.split(r"[/\\]", location.value)[-1].lower()
    others = reading.has("data.train") or bool(re.search(r"train\w*\.\w+", reading.text.clean))
    if others and re.match(r"(?:.*[_-])?(?:val|valid|validation|dev|eval)\b", stem):
        return "data.validation"
    if others and re.match(r"(?:.*[_-])?(?:test|holdout)\b", stem):
        return "data.test"
    return "data.train"


def _is_data(value: str) -> bool:
    return re.search(rf"(?<![a-z]){DATASET_NAMES}|(?:^|/)(?:data|datasets?)/", value.lower()) is not None


def _is_extra(reading: Reading, location: Location) -> bool:
    """Whether a second set is only mentioned (an id or directory) and so no rival of the first."""
    return location.kind in ("id", "path") and not re.search(rf"\.(?:{EXTENSION})$", location.value, re.IGNORECASE)


def _is_output_file(reading: Reading, location: Location, found: list[Location]) -> bool:
    """Whether a file is named as the place to write to, beside a file of data."""
    before = reading.before(location.start).rstrip("\"'`")
    order = re.search(rf"{_SAVE_ORDER}{_ARTICLES}", before)
    files = [other for other in found if re.search(rf"\.(?:{EXTENSION})$", other.value, re.IGNORECASE)]
    return order is not None and (reading.has("data.train") or len(files) > 1)


def _reject(reading: Reading, role: str | None, location: Location) -> None:
    quote = reading.text.quote(location.start, location.end)
    rule = "leaves the working directory or names system files, keys or another machine"
    reading.rejected.append(Rejected(field=role or "data.train", quote=quote, reason=f"the path {rule}"))
    reading.refuse(
        RefusalClass.UNSAFE_PATH,
        f"{quote} {rule}. Use a file below the working directory or an allowed data root, or a hub id.",
    )


def read_as_evaluation(reading: Reading) -> None:
    """To evaluate: the data is test data, and a directory is the adapter, which is no field of the spec."""
    named = [c for c in reading.claims if c.field in ("data.train", "data.validation", "base_model")]
    for claim in named:
        is_directory = not re.search(rf"\.(?:{EXTENSION})$", str(claim.value), re.IGNORECASE) and "/" in str(
            claim.value
        )
        adapter = is_directory and not re.search(MODEL_FAMILIES, str(claim.value).lower())
        is_set = str(claim.value).startswith("stdlib:") or _is_data(str(claim.value))
        reading.claims.remove(claim)
        if adapter and not is_set and len(named) > 1:
            reading.ignored.append(reading.text.quote(claim.start, claim.end))
        else:
            field = "base_model" if claim.field == "base_model" else "data.test"
            reading.claim(field, claim.value, claim.start, claim.end)


def read_as_export(reading: Reading) -> None:
    """To export: a directory that was taken for data is where the adapter goes."""
    for claim in [c for c in reading.claims if c.field == "data.train"]:
        if not re.search(rf"\.(?:{EXTENSION})$", str(claim.value), re.IGNORECASE) and not reading.has("output.dir"):
            reading.claims.remove(claim)
            reading.claim("output.dir", claim.value, claim.start, claim.end)
