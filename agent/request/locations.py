"""Files, hub ids, model names and output directories in a request, and which of them may not be touched."""

import re
from dataclasses import dataclass

from agent.request.draft import RefusalClass, Rejected
from agent.request.reading import Reading
from agent.request.text import USED
from agent.request.vocabulary import BARE_MODEL, DATASET_NAMES, MODEL_FAMILIES

_EXTENSION = r"(?:csv|tsv|jsonl?|ndjson|parquet|pq|txt|arrow|feather|xlsx?|ya?ml|db|sqlite|pkl|pickle|pem|key)(?:\.(?:gz|zst|bz2|xz|zip))?|zip|tar|gz|safetensors"
_PLAIN = r"[^\s\x00,;\"'`<>(){}\[\]=|\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"
_LOCATION = re.compile(
    rf"(?P<quoted>\"[^\"\n\x00]{{1,200}}\"|`[^`\n\x00]{{1,200}}`|(?<!\w)'[^'\n\x00]{{1,200}}'(?!\w))|"
    rf"(?P<url>(?:[a-z][a-z0-9+]*)://{_PLAIN}+)|"
    rf"(?P<windows>(?<!\w)(?:[a-z]:[\\/]|\\\\){_PLAIN}+)|"
    rf"(?P<builtin>(?<!\w)stdlib:[\w-]+)|"
    rf"(?P<path>(?<![\w])(?:~|\$\w+|\.\.?)?/{_PLAIN}*)|"
    rf"(?P<id>(?<![\w/.@-])[\w.-]+(?:/{_PLAIN}+)+/?|(?<![\w/.@-])[\w-][\w.-]*/(?![\w/]))|"
    rf"(?P<file>(?<![\w/.@-])[\w-][\w.-]*?\.(?:{_EXTENSION})(?![\w]))|"
    rf"(?P<secret>(?<![\w/])(?:\.env|\.ssh|\.netrc|\.bashrc|\.git-credentials|id_(?:rsa|dsa|ecdsa|ed25519))(?!\w))",
    re.IGNORECASE,
)
_UNSAFE = re.compile(
    r"^file:|^\\\\|^//|(?:^|[\\/])\.\.(?:[\\/]|$)|^/(?:etc|root|proc|sys|dev|boot|bin|sbin|usr|lib\d*|var/(?:lib|log|run|spool|mail)|run|private/etc)(?:/|$)|"
    r"(?:^|[\\/])\.(?:ssh|aws|gnupg|kube|docker|netrc|env|pgpass|config|git|npmrc|pypirc|bash_history|bashrc|git-credentials|huggingface|cache[\\/]huggingface[\\/]token)(?:$|[\\/.])|"
    r"(?:^|[\\/])id_(?:rsa|dsa|ecdsa|ed25519)|(?:^|[\\/])(?:credentials?|secrets?|shadow|passwd|authorized_keys|known_hosts)(?:\.\w+)?$|"
    r"\.(?:pem|key|pfx|p12|keystore)$|^[a-z]:[\\/](?:windows|program files|programdata)|(?:^|[\\/])(?:api_?keys?|private_?keys?|tokens?|passwords?)(?:\.\w+)?$|"
    r"^~(?!/)\w+|^/home/[^/]+/(?:\.|secrets?|private|passwords?|keys?)|^smb:|^(?:ssh|sftp|ftp)://|^\$\w+|%2e%2e",
    re.IGNORECASE,
)
_NOT_IDS = frozenset(
    "and or validation train test val dev eval prompt completion question answer input output chosen rejected text label "
    "accuracy f1 loss lora dpo sft qlora dora he she his her him they w n a i o yes no on off km tcp true false his/her "
    "precision recall f1-score macro micro lr rank adapter base user assistant response instruct chat tune cpu gpu good bad "
    "positive negative spam ham yes/no pass fail either both day hour trial min sec epoch model data hub study study/trial".split()
)
_SAVE = (
    r"(?:sav(?:e|ed|ing)|writ(?:e|ten|ing)|stor(?:e|ed|ing)|put(?:ting)?|output(?:s|ting)?|dump|plac(?:e|ing)|export(?:ed|ing)?|"
    r"keep|deliver|drop|leave|results?|artifacts?|out)"
)
_ROLES: tuple[tuple[str, str], ...] = (
    ("output.dir", rf"(?:{_SAVE}(?![\w-])[^.;,\n]{{0,40}}?\b(?:to|in|into|under|at|as|go to|dir|directory|folder|path)|(?:output|results?|save)(?:[ _-]?(?:dir|directory|folder|path|to))?\s*[:=]?|{_SAVE} (?:it|them|everything|the (?:adapter|model|results?)))"),
    ("data.test", r"(?:test(?:ed|ing)?|hold[- ]?out|held[- ]out|final evaluation)(?:[ -]?(?:set|split|data|file|part))?(?: (?:it|the (?:result|model|adapter)))?(?: (?:is|are|on|with|against|in|from|using|being|comes from|afterwards on|at the end on))*\s*[:=]?"),
    ("data.validation", r"(?:validat(?:e|es|ed|ing|ion)|valid|val|dev(?:elopment)?|eval(?:uate|uated|uating|uation)?)(?:[ -]?(?:set|split|data|file|part))?(?: (?:it|the (?:result|model|adapter)))?(?: (?:is|are|on|with|against|in|from|using|being|comes from|during training on))*\s*[:=]?"),
    ("base_model", r"(?:(?:base[- ]?|starting |start |pre-?trained |foundation )?(?:model|checkpoint|weights|backbone|llm|encoder)|base|start(?:ing)? (?:from|with|at)|initiali[sz]ed? (?:from|with)|init from|on top of|based on)(?: (?:is|at|in|from|called|named|should be|must be|to|under))*\s*[:=]?"),
    ("data.train", r"(?:(?:training[- ])?(?:data|dataset|examples|corpus|files?|rows|samples|pairs|set)|train(?:ing)?[- ](?:on|with|from|set|file|data|split)|(?<!based )(?<!top )on)(?: (?:is|are|in|at|from|called|named|live in|lives in|sits in|to))*\s*[:=]?"),
)  # fmt: skip
_TUNE = r"(?:tun(?:e|ing)|finetun(?:e|ing)|train(?:ing)?|adapt|teach|improve|take|use|using|with|qlora|dora|lora|for|of|merge|full|via|specialize|specialise|customi[sz]e|retrain|align)"
_ARTICLES = r"(?:\s+(?:the|our|my|a|an|this|local|file|files|folder|directory|hub|hf|hugging ?face|small|base|model|named|called|id|dataset|existing))*\s*$"


@dataclass(frozen=True)
class Location:
    """A path or id as typed, with its position in `Text.clean`."""

    value: str
    start: int
    end: int
    kind: str


def read_locations(reading: Reading) -> None:
    """Claim data.train, data.validation, data.test, base_model and output.dir, and refuse unsafe paths."""
    found = _found(reading)
    for location in found:
        role = _role(reading, location)
        if _UNSAFE.search(location.value):
            _reject(reading, role, location)
        elif role and not (role == "data.train" and reading.has("data.train") and _is_extra(reading, location)):
            reading.claim(role, location.value, location.start, location.end)
        reading.text.consume(location.start, location.end)
    _read_bare_output(reading)
    _read_bare_model(reading)
    if not reading.has("data.train") and reading.refusal is None:
        _read_bare_dataset(reading)


def _found(reading: Reading) -> list[Location]:
    visible = "".join(
        USED if left == USED else c for c, left in zip(reading.text.cased, reading.text.left, strict=True)
    )
    found = []
    for match in _LOCATION.finditer(visible):
        kind, start, value = str(match.lastgroup), match.start(), match.group()
        if kind == "quoted":
            value = value[1:-1]
            inner = _LOCATION.match(value.strip())
            named = re.search(rf"\.(?:{_EXTENSION})$", value, re.IGNORECASE) is not None
            if (
                inner is None
                and not named
                or inner is not None
                and not re.search(r"[/\\]|\.\w{2,7}$|^stdlib:|^\.env", value)
            ):
                continue
            kind, start = str(inner.lastgroup) if inner and not named else "file", start + 1
        elif kind != "builtin":
            value = value.rstrip(".,:!?*")
            value = value[:-2] if value.endswith("'s") else value
        if kind == "id" and _is_prose(value):
            continue
        if value.strip("/~") or value in ("~", "/", "~/"):
            found.append(Location(value, start, start + len(value), kind))
    return found


def _is_prose(value: str) -> bool:
    parts = [part.lower() for part in value.split("/") if part]
    return (
        any(p in _NOT_IDS for p in parts[:1])
        and all(p in _NOT_IDS or p.isalpha() for p in parts)
        or all(re.fullmatch(r"[\d.]+%?|[\d.]*e-?\d+|\d+[a-z]+", p) for p in parts)
    )


def _role(reading: Reading, location: Location) -> str | None:
    """The field a location fills, from the words before it, its form, and what is still open."""
    before = reading.before(location.start)
    is_file = re.search(rf"\.(?:{_EXTENSION})$", location.value, re.IGNORECASE) is not None
    after = reading.text.clean[location.end : location.end + 30]
    is_set = re.match(r"[\"'`]? +(?:data ?set|data|corpus|pairs)(?![\w/.:=-])", after) is not None
    modelish = re.search(rf"(?<![a-z]){MODEL_FAMILIES}", location.value.lower()) is not None
    if location.kind == "builtin":
        return _data_role(reading, before, location)
    for role, words in _ROLES:
        if not re.search(rf"(?<![\w-]){words}{_ARTICLES}", before):
            continue
        if role == "output.dir" and is_file and not _UNSAFE.search(location.value):
            continue
        if (
            role == "base_model"
            and (is_file or _is_data(location.value))
            or role == "data.train"
            and modelish
            and not is_file
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
    """Whether a second training file is only mentioned (an id or directory), rather than a rival the user must choose."""
    return location.kind in ("id", "path") and not re.search(rf"\.(?:{_EXTENSION})$", location.value, re.IGNORECASE)


def _reject(reading: Reading, role: str | None, location: Location) -> None:
    quote = reading.text.quote(location.start, location.end)
    rule = "leaves the working directory or names system files, keys or another machine"
    reading.rejected.append(Rejected(field=role or "data.train", quote=quote, reason=f"the path {rule}"))
    reading.refuse(
        RefusalClass.UNSAFE_PATH,
        f"{quote} {rule}. Use a file below the working directory or an allowed data root, or a hub id.",
    )


def read_as_evaluation(reading: Reading) -> None:
    """In a request to evaluate, the data is test data, and a directory is the adapter, which is no field of the spec."""
    named = [c for c in reading.claims if c.field in ("data.train", "data.validation", "base_model")]
    for claim in named:
        is_directory = not re.search(rf"\.(?:{_EXTENSION})$", str(claim.value), re.IGNORECASE) and "/" in str(
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


def _read_bare_output(reading: Reading) -> None:
    """ "save it to results" and "output dir: out": a directory without a slash."""
    match = reading.find(
        r"(?:save|store|write|put|export)\b[^.;,\n\x00]{0,40}?\b(?:to|in|into|under)(?: the| a)?(?: folder| directory| dir)? (?P<a>\"[^\"\n]+\"|[\w.-]*\w)(?: folder| directory| dir)?|"
        r"(?:output|results?)[ _-]?(?:dir(?:ectory)?|folder)\s*(?:[:=]|is|named|called)?\s*(?P<b>\"[^\"\n]+\"|[\w.-]*\w)"
    )
    if match is None or reading.has("output.dir"):
        return
    group = "a" if match["a"] else "b"
    name = reading.text.cased[match.start(group) : match.end(group)].strip('"')
    if name.lower() not in ("a", "the", "one", "it", "disk", "this", "memory", "full", "safetensors", "gguf", "onnx"):
        reading.claim("output.dir", name, match.start(), match.end())


def _read_bare_model(reading: Reading) -> None:
    if reading.has("base_model"):
        for match in reading.find_all(
            rf"(?:base |starting )?model(?: is| must be| should be|:|=)*\s+(?P<name>{BARE_MODEL})"
        ):
            reading.claim(
                "base_model", reading.text.cased[match.start("name") : match.end("name")], *match.span("name")
            )
        return
    match = reading.find(BARE_MODEL)
    if match and (
        match.group() not in ("opt", "bloom", "falcon", "granite", "electra") or _named_as_model(reading, match)
    ):
        reading.claim("base_model", reading.text.cased[match.start() : match.end()], match.start(), match.end())
        return
    named = reading.find(
        rf"(?:base[- ]?model|model|backbone|checkpoint)(?: is| called| named|:|=)*\s*(?P<name>\"[^\"\n\x00]+\"|`[^`\n\x00]+`|[a-z]+[\w.]*-[\w.-]*\w|[a-z]+\d[\w.]*)|"
    )
    if named and named["name"]:
        value = reading.text.cased[named.start("name") : named.end("name")].strip('"`')
        reading.claim("base_model", value, named.start("name"), named.end("name"))


def _named_as_model(reading: Reading, match: re.Match[str]) -> bool:
    return re.search(r"(?:tune|train|model|adapt|with|use)\s+$", reading.before(match.start())) is not None


def _read_bare_dataset(reading: Reading) -> None:
    match = reading.find(
        rf"(?P<known>{DATASET_NAMES}(?:[-_][\w-]+)?)(?: (?:data ?set|data|pairs|corpus))?"
    ) or reading.find(
        r"(?:on|from|using|with)(?: the)? (?P<known>\"[^\"\n\x00]+\"|`[^`\n\x00]+`|[\w-]*[a-z]\w*[-_]\w+) (?:data ?set|corpus)|"
        r"data ?set(?: is| called| named|:|=)+\s*(?P<named>\"[^\"\n\x00]+\"|`[^`\n\x00]+`|[\w-]+)"
    )
    if match is None:
        return
    group = "known" if match["known"] else "named"
    value = reading.text.cased[match.start(group) : match.end(group)].strip('"`')
    reading.claim("data.train", value, match.start(group), match.end(group))
