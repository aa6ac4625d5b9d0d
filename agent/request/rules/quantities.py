"""Budget, constraints and seed: numbers that mean something only together with their unit or noun."""

import re

from agent.request.rules.amounts import NUMBER, UNIT_SECONDS, number, seconds_in, whole
from agent.request.rules.claims import Reading
from agent.request.rules.text import regex

_TRIALS = (
    r"(?:trials?|runs?|configs?|configurations?|experiments?|attempts?|tries|candidates|combinations|settings|"
    r"hyper-?parameter (?:settings|configurations|combinations)|evaluations)"
)
_LIMIT = (
    r"(?:(?:at most|at least|up to|max(?:imum|\.)?(?: of)?|no more than|not more than|exactly|about|around|"
    r"roughly|some|only|just|under|within|less than)\s+)*"
)
_AT_ONCE = r"(?:at (?:a|the same|one) time|at once|in parallel|concurrently|simultaneously|side by side|parallel)"
_UNIT = f"(?:{'|'.join(UNIT_SECONDS)})"
_COMMA_NUMBER = rf"(?:(?<![\w.])\d+,\d{{1,2}}(?!\d)|{NUMBER})"
_ONE_DURATION = rf"{_COMMA_NUMBER}\s*-?\s*{_UNIT}(?!\w)"
_GPU = r"(?:vram|gpu|card|graphics|memory|gpu memory|video memory|cuda)"

_SEED = (
    r"(?:random[-_ ]?(?:state|seed)|seed)(?:ed|s)?(?: number| value)?[\"']?(?:\s*[=:]\s*|\s+(?:of |is |at |to |by |"
    rf"with |set to |must be |should be |fixed (?:to|at) )*|-)(?P<n>{NUMBER})"
)
_PARALLEL = (
    rf"(?P<a>{NUMBER}) (?:{_TRIALS} |jobs |of them |models )?(?:running )?{_AT_ONCE}(?! (?:to|with))|"
    rf"(?P<b>{NUMBER}) (?:parallel|concurrent|simultaneous)(?: (?:{_TRIALS}|jobs|workers?))?|(?P<c>{NUMBER}) workers|"
    rf"(?:run )?in parallel:? (?P<d>{NUMBER})|"
    rf"(?:parallel(?:ism)?|workers|parallel[_ ]trials)\s*(?:=|:|of|is)?\s*(?P<e>{NUMBER})"
)
_N_TRIALS = (
    rf"{_LIMIT}(?P<first>{NUMBER})\s*-?\s*(?:(?:different|hpo|search|tuning|optuna|total|more|training|"
    rf"hyperparameter|random|full) )*{_TRIALS}(?!\s*=|[\"']?:\s*\d)|"
    rf"(?:n_|num_|max_|number of |no\. of |max\.? |total )?(?!run(?!s)){_TRIALS}(?:[\"']?\s*[=:]\s*|"
    rf"\s+(?:is|to|be|of|at|set to|limited to|capped at|max|must be|should be|are)?\s*{_LIMIT})(?P<last>{NUMBER})"
    rf"(?![^\S\n]*(?:{_UNIT}|gb|mb|at a time|in parallel|epochs?|%)(?![\w\"':=]))"
)
_ONE_TRIAL = r"(?:for|of|stop|cancel|explain|did|why|in) $"
"""Such words before "trial 3" speak of the one of that number."""

_TIME = (
    r"(?:half an?|(?<!\d)1/2 (?:of )?(?:an? )?|½ (?:an? )?)\s*(?P<half>hour|day|minute)s?|"
    r"(?<![\d:])(?P<hh>\d{1,3}):(?P<mm>[0-5]\d)(?::(?P<ss>[0-5]\d)(?!\d)(?:\s*(?:h|hours?))?|\s*(?:h|hours?))|"
    rf"(?P<n1>an?|{NUMBER}) (?P<u1>hours?|days?|minutes?) and (?:an? half|1/2)|"
    rf"(?P<n2>{NUMBER}) and an? half (?P<u2>hours?|days?|minutes?)|"
    r"(?P<quarter>(?:(?:three|3) |an? )?quarters?(?:[ -]of)?[ -]an[ -]hour|3/4 (?:of )?(?:an )?hour)|"
    rf"(?P<ch>\d+)h(?P<cm>[0-5]?\d)(?:m(?:in)?)?|(?P<sum>{_ONE_DURATION}(?:\s*(?:,|and|&)?\s*{_ONE_DURATION})*)|"
    r"an? (?P<one>hour|day|minute|week)"
)
_NO_BUDGET_AFTER = r"\s*(?:per|each|a|every|/)\s*(?:trial|run|epoch|config|step|$)|\s*(?:ago|old|long|each|apiece)\b|/"
_NO_BUDGET_BEFORE = (
    r"(?:each|every|per) (?:trial|run|config\w*|attempt)[^,;.]*$|(?:last|past|over) $|"
    r"(?:took|taken|takes|spent|lost|waited|since|ago|every)(?: \w+){0,2} $"
)
_MANY = r"(?:\d|hundreds?|thousands?|dozens|many|several|few|once|twice|times) *\w* *$"
"""Such words before "an hour" make it a rate: "three times an hour"."""
_NOT_TIMES: dict[str, str] = {
    "search.learning_rate": r"learning[- ]rate|lr",
    "search.lora_rank": r"rank",
    "search.lora_dropout": r"dropout",
    "search.batch_size": r"batch size",
    "search.beta": r"beta",
    "constraints.max_vram_gb": r"vram(?: limit)?|gpu memory",
    "constraints.max_adapter_mb": r"adapter size",
    "seed": r"seed",
}
"""Fields whose value with a unit of time is a slip of the user's, not a time budget."""

_DOLLARS = (
    r"(?:\$|usd\s?)\s?(?P<a>\d+(?:[.,]\d+)?|\.\d+)(?![\w])|(?<![\w.])(?P<b>\d+(?:[.,]\d+)?|"
    rf"{NUMBER})\s?(?:\$|usd|us dollars?|dollars?|bucks)(?!\w)|(?<![\w.])(?P<cents>{NUMBER})\s?cents(?!\w)"
)
_SIZE = r"(?<![\w.])(?P<n>\d+(?:[.,]\d+)?)\s*-?(?P<u>gib|gb|g|mib|mb|kb|gigabytes?|gigs?|megabytes?)(?!\w)"
_LENGTH = (
    r"(?:max(?:imum|\.)?[ _-]*)?(?:seq(?:uence|s)?[ _-]*(?:len(?:gth)?s?)?|(?:context|input|token|"
    r"text|example|prompt)[ _-]*(?:len(?:gth)?|window|size)|"
    r"max[ _-]*(?:len(?:gth)?|tokens)|maximum length|length|context|truncat(?:e|ed|ing|ion)|"
    r"cut ?off)(?: (?:the )?(?:texts?|inputs?|rows|examples|sequences))?"
    r"(?:\s*[=:]\s*|\s+(?:is |of |at |to |after |<=? ?|limited to |capped at |limit |up to |at most |max )*)"
    rf"(?P<n>{NUMBER})\s?(?P<k>k)?(?:[ -]?tokens?)?|"
    r"(?P<n2>(?<![\w.])\d+(?:,\d{3})?)\s?(?P<k2>k)?[ -]?(?:tokens?|token)(?! (?:per second|"
    r"budget|of (?:v?ram|memory|gpu)))(?: (?:max(?:imum)?|context|limit|sequences?|at most|long))*"
)


def read_quantities(reading: Reading) -> None:
    """Claim seed, budget.* and constraints.*; hyperparameters are read elsewhere."""
    for match in reading.find_all(_SEED):
        _claim(reading, "seed", match)
    for match in reading.find_all(_PARALLEL):
        _claim(reading, "budget.parallel_trials", match)
    _ask_which(reading, "budget.trials", _TRIALS)
    for match in reading.find_all(_N_TRIALS):
        if _is_count(reading, match):
            _claim(reading, "budget.trials", match)
    _read_times(reading)
    for match in regex(_DOLLARS).finditer(reading.text.left):
        value = number(match["cents"]) / 100 if match["cents"] else _decimal(match["a"] or match["b"])
        reading.claim("budget.llm_usd", whole(value), match)
    for name in ("max_vram_gb", "max_adapter_mb"):
        for match in reading.find_all(rf"{name}[\"']?\s*[:=]?\s*(?P<n>{NUMBER})"):
            _claim(reading, f"constraints.{name}", match)
    for match in regex(_SIZE).finditer(reading.text.left):
        _read_size(reading, match)
    for match in reading.find_all(_LENGTH):
        _read_length(reading, match)


def _read_times(reading: Reading) -> None:
    _ask_which(reading, "budget.seconds", _UNIT)
    for names, scale in ((r"(?:seconds|max_seconds|time_limit_s)", 1), ("minutes", 60), ("hours", 3600)):
        for match in reading.find_all(rf"{names}[\"']?\s*[:=]\s*(?P<n>{NUMBER})"):
            _claim(reading, "budget.seconds", match, scale)
    for match in reading.find_all(_TIME):
        _read_time(reading, match)


def _claim(reading: Reading, name: str, match: re.Match[str], scale: int = 1, group: str | None = None) -> None:
    """Claim the number in a match's (last) group, or the one by which it is corrected on the spot."""
    correction = reading.correction(match.end())
    value = number(correction["n"] if correction else match[group or match.lastgroup or 0])
    reading.claim(name, whole(value * scale), (match.start(), (correction or match).end()))


def _ask_which(reading: Reading, name: str, units: str) -> None:
    """ "10-20 trials": a budget is one number, so the user is asked; the larger one is suggested."""
    low_high = rf"{NUMBER}\s*(?:-+|\bto\b|\bor\b|\.\.+|~)\s*(?P<high>{NUMBER})|between {NUMBER} and (?P<h2>{NUMBER})"
    for match in reading.find_all(rf"(?:{low_high})\s*-?\s*(?P<unit>{units})"):
        high = number(match["high"] or match["h2"]) * (seconds_in(match["unit"]) or 1)
        question = f'"{reading.text.quote(*match.span())}" is a range, and {name} is one limit: which is meant?'
        reading.ask(name, question, f"{whole(high)}")
        reading.text.consume(*match.span())


def _is_count(reading: Reading, match: re.Match[str]) -> bool:
    """Whether a number beside "trials" is how many there are to be."""
    if reading.precedes(r"\s*(?:per|each) ", match):
        return False
    return match["first"] is not None or "trial " not in match.group() or not reading.follows(_ONE_TRIAL, match)


def _read_time(reading: Reading, match: re.Match[str]) -> None:
    before, after = reading.before(match.start(), 24), reading.text.left[match.end() : match.end() + 24]
    if regex(_NO_BUDGET_AFTER).match(after) or regex(_NO_BUDGET_BEFORE).search(before):
        return
    if match["one"] and regex(_MANY).search(before):
        return
    for name, words in _NOT_TIMES.items():
        if regex(rf"(?<!\w)(?:{words}) ?(?:of|is|at|to|:|=)? *$").search(before):
            reading.reject(name, match, "it is not measured in time")
            return
    if regex(r"(?:length|tokens|context)(?: of| is|:)? *$").search(before):
        reading.reject("constraints.max_seq_length", match, "a length is a number of tokens")
        return
    correction, unit = reading.correction(match.end()), regex(rf"{_UNIT}$").search(match.group())
    if correction and unit:
        seconds, end = number(correction["n"]) * (seconds_in(unit.group()) or 1), correction.end()
    else:
        seconds, end = round(_seconds(match), 3), match.end()
    reading.claim("budget.seconds", whole(seconds), (match.start(), end))


def _seconds(match: re.Match[str]) -> float:
    """What a match of `_TIME` comes to."""
    if match["hh"] or match["ch"]:
        return int(match["hh"] or match["ch"]) * 3600.0 + int(match["mm"] or match["cm"]) * 60.0 + int(match["ss"] or 0)
    if match["quarter"]:
        return 2700.0 if match["quarter"].startswith(("3", "three")) else 900.0
    count, unit = 1.0, match["one"]
    if match["half"]:
        count, unit = 0.5, match["half"]
    for n, u in (("n1", "u1"), ("n2", "u2")):
        if match[n]:
            count, unit = 0.5 + (1.0 if match[n] in ("a", "an") else number(match[n])), match[u]
    if unit:
        return count * (seconds_in(unit) or 1)
    parts = regex(rf"(?P<n>{_COMMA_NUMBER})\s*-?\s*(?P<u>{_UNIT})(?!\w)").finditer(match["sum"])
    total = sum(_decimal(part["n"]) * (seconds_in(part["u"]) or 1) for part in parts)
    return -total if match["sum"].startswith("-") else total


def _decimal(text: str) -> float:
    return float(text.replace(",", ".")) if regex(r"\d+,\d{1,2}").fullmatch(text) else number(text)


def _read_size(reading: Reading, match: re.Match[str]) -> None:
    """GB of GPU memory and MB of adapter; which of the two the words around a size tell."""
    megabytes = _decimal(match["n"]) * {"m": 1, "g": 1000, "k": 0.001}[match["u"][0]]
    before, after = reading.before(match.start()), reading.text.clean[match.end() : match.end() + 30]
    adapter = max((m.start() for m in regex(r"adapter|lora (?:file|weights)").finditer(before)), default=-1)
    gpus = regex(rf"(?<!\w){_GPU}|fits?\b|rtx|a100|t4|l4|v100").finditer(before)
    gpu = max((m.start() for m in gpus), default=-1)
    if regex(r"[\s\w-]{0,12}?\badapter").match(after) or adapter > gpu:
        reading.claim("constraints.max_adapter_mb", whole(round(megabytes, 6)), match)
    elif regex(r"\s*(?:of )?(?:(?:system |cpu |host |main )(?:ram|memory)|ram)\b").match(after):
        return
    elif gpu >= 0 or regex(rf"[\s\w-]{{0,16}}?(?<!\w){_GPU}").match(after):
        reading.claim("constraints.max_vram_gb", whole(round(megabytes / 1000, 6)), match)


def _read_length(reading: Reading, match: re.Match[str]) -> None:
    is_time = reading.follows(r"time(?: limit| budget)?(?: of| is|:)? *$", match)
    if is_time or reading.precedes(rf"\s*(?:{_UNIT}|gb|mb)(?!\w)", match):
        reading.reject("constraints.max_seq_length", match, "a length is a number of tokens")
        return
    scale, group = 1024 if match["k"] or match["k2"] else 1, "n" if match["n"] else "n2"
    if number(match[group]) * scale >= 8:
        _claim(reading, "constraints.max_seq_length", match, scale, group)
