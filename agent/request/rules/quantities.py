"""Budget, constraints and seed: numbers that mean something only together with their unit or noun."""

import re
from collections.abc import Callable

from agent.request.draft import Question
from agent.request.rules.amounts import NUMBER, number, whole
from agent.request.rules.claims import CORRECTION, Reading

_TRIALS = (
    r"(?:trials?|runs?|configs?|configurations?|experiments?|attempts?|tries|candidates|combinations|settings|"
    r"hyper-?parameter (?:settings|configurations|combinations)|evaluations)"
)
_LIMIT = (
    r"(?:(?:at most|at least|up to|max(?:imum|\.)?(?: of)?|no more than|not more than|exactly|about|around|"
    r"roughly|some|only|just|under|within|less than)\s+)*"
)
_AT_ONCE = r"(?:at (?:a|the same|one) time|at once|in parallel|concurrently|simultaneously|side by side|parallel)"
_UNITS: dict[str, float] = {
    r"(?:s|secs?|seconds?)": 1,
    r"(?:m|mins?|minutes?)": 60,
    r"(?:h|hrs?|hours?)": 3600,
    r"(?:d|days?)": 86400,
    r"weeks?": 604800,
}
_UNIT = "|".join(_UNITS)
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
_OTHER_UNITS = "|".join(_NOT_TIMES.values())
"""Fields whose value with a unit of time is a slip of the user's, not a time budget."""
_COMMA_NUMBER = rf"(?:(?<![\w.])\d+,\d{{1,2}}(?!\d)|{NUMBER})"
_ONE_DURATION = rf"{_COMMA_NUMBER}\s*-?\s*(?:{_UNIT})(?!\w)"
_GPU = r"(?:vram|gpu|card|graphics|memory|gpu memory|video memory|cuda)"


def read_quantities(reading: Reading) -> None:
    """Claim seed, budget.* and constraints.*; hyperparameters are read elsewhere."""
    _read_seed(reading)
    _read_parallel(reading)
    _read_trials(reading)
    _read_seconds(reading)
    _read_dollars(reading)
    _read_sizes(reading)
    _read_length(reading)


def _claim_number(
    reading: Reading, name: str, match: re.Match[str], group: str, convert: Callable[[float], float] = whole
) -> None:
    """Claim a number; one that is corrected on the spot ("10 trials, no wait, 20") is replaced by its correction."""
    text, end, value = reading.text.left, match.end(), number(match[group])
    corrected = re.compile(rf"[\s,;.()-]*(?:{CORRECTION}[\s,:.-]*)+(?P<n>{NUMBER})(?!\s*[a-z%$\w])").match(text, end)
    if corrected:
        value, end = number(corrected["n"]), corrected.end()
    reading.claim(name, convert(value), match.start(), end)


def _read_seed(reading: Reading) -> None:
    for match in reading.find_all(
        rf"(?:random[-_ ]?(?:state|seed)|seed)(?:ed|s)?(?: number| value)?[\"']?(?:\s*[=:]\s*|\s+(?:of |is |at |to |"
        rf"by |with |set to |must be |should be |fixed (?:to|at) )*|-)(?P<n>{NUMBER})"
    ):
        _claim_number(reading, "seed", match, "n")


def _read_parallel(reading: Reading) -> None:
    pattern = (
        rf"(?P<a>{NUMBER}) (?:{_TRIALS} |jobs |of them |models )?(?:running )?{_AT_ONCE}(?! (?:to|with))|"
        rf"(?P<b>{NUMBER}) (?:parallel|concurrent|simultaneous)(?: (?:{_TRIALS}|jobs|workers?))?|"
        rf"(?P<c>{NUMBER}) workers|"
        rf"(?:run )?in parallel:? (?P<d>{NUMBER})|(?:parallel(?:ism)?|workers|"
        rf"parallel[_ ]trials)\s*(?:=|:|of|is)?\s*(?P<e>{NUMBER})"
    )
    for match in reading.find_all(pattern):
        group = next(name for name in "abcde" if match[name])
        _claim_number(reading, "budget.parallel_trials", match, group)


def _read_between(reading: Reading, name: str, unit: str, convert: Callable[[str], float]) -> None:
    """ "10-20 trials": a budget is one number, so the user is asked; the larger one is suggested."""
    low_high = rf"{NUMBER}\s*(?:-+|\bto\b|\bor\b|\.\.+|~)\s*(?P<high>{NUMBER})|between {NUMBER} and (?P<h2>{NUMBER})"
    for match in reading.find_all(rf"(?:{low_high})\s*-?\s*(?P<unit>{unit})"):
        high = convert(f"{match['high'] or match['h2']} {match['unit']}")
        quote = reading.text.quote(*match.span())
        question = f'"{quote}" is a range, and {name} is one limit: which is meant?'
        reading.questions.append(Question(field=name, question=question, suggestion=f"{whole(high)}"))
        reading.text.consume(*match.span())


def _read_trials(reading: Reading) -> None:
    _read_between(reading, "budget.trials", _TRIALS, lambda said: number(said.split()[0]))
    pattern = (
        rf"{_LIMIT}(?P<a>{NUMBER})\s*-?\s*(?:(?:different|hpo|search|tuning|optuna|total|more|training|"
        rf"hyperparameter|random|full) )*{_TRIALS}(?!\s*=|[\"']?:\s*\d)|"
        rf"(?:n_|num_|max_|number of |no\. of |max\.? |total )?(?!run(?!s)){_TRIALS}(?:[\"']?\s*[=:]\s*|"
        r"\s+(?:is|to|be|of|at|set to|limited to|capped at|max|must be|should be|"
        rf"are)?\s*{_LIMIT})(?P<b>{NUMBER})(?![^\S\n]*(?:{_UNIT}|gb|mb|at a time|in parallel|epochs?|"
        r"%)(?![\w\"':=]))"
    )
    for match in reading.find_all(pattern):
        if re.match(r"\s*(?:per|each) ", reading.text.left[match.end() :]):
            continue
        group = "a" if match["a"] else "b"
        if (
            group == "b"
            and re.search(r"(?:for|of|stop|cancel|explain|did|why|in) $", reading.before(match.start()))
            and "trial " in match.group()
        ):
            continue
        _claim_number(reading, "budget.trials", match, group)


def _read_seconds(reading: Reading) -> None:
    joined = rf"{_ONE_DURATION}(?:\s*(?:,|and|&)?\s*{_ONE_DURATION})*"
    _read_between(reading, "budget.seconds", _UNIT, lambda said: _seconds_in(said.split()[1]) * number(said.split()[0]))
    pattern = (
        rf"(?P<half>(?:half an?|(?<!\d)1/2 (?:of )?(?:an? )?|½ (?:an? )?)\s*(?P<hu>hour|day|minute)s?)|"
        rf"(?P<colon>(?<![\d:])(?P<hh>\d{{1,3}}):(?P<mm>[0-5]\d)(?::(?P<ss>[0-5]\d)(?!\d)(?:\s*(?:h|hours?))?|"
        rf"\s*(?:h|hours?)))|(?P<plus>(?P<pn>an?|{NUMBER}) (?P<pu>hours?|"
        r"days?|minutes?) and (?:an? half|1/2))|"
        rf"(?P<and>(?P<an>{NUMBER}) and an? half (?P<au>hours?|days?|minutes?))|"
        rf"(?P<quarter>(?:(?P<qn>three|3) |an? )?quarters?(?:[ -]of)?[ -]an[ -]hour|(?P<qd>3/4) (?:of )?(?:an )?hour)|"
        rf"(?P<clock>(?P<ch>\d+)h(?P<cm>[0-5]?\d)(?:m(?:in)?)?)|(?P<sum>{joined})|"
        r"(?P<one>an? (?P<ou>hour|day|minute|week))"
    )
    for match in reading.find_all(rf"(?:seconds|max_seconds|time_limit_s)[\"']?\s*[:=]\s*(?P<n>{NUMBER})"):
        reading.claim("budget.seconds", whole(number(match["n"])), match.start(), match.end())
    for match in reading.find_all(rf"(?:minutes|hours)[\"']?\s*[:=]\s*(?P<n>{NUMBER})"):
        scale = 60 if match.group().startswith("m") else 3600
        reading.claim("budget.seconds", whole(number(match["n"]) * scale), match.start(), match.end())
    for match in reading.find_all(pattern):
        after = reading.text.left[match.end() : match.end() + 24]
        before = reading.before(match.start(), 24)
        if re.match(
            r"\s*(?:per|each|a|every|/)\s*(?:trial|run|epoch|config|step|$)|\s*(?:ago|old|long|each|apiece)\b|/", after
        ) or re.search(
            r"(?:each|every|per) (?:trial|run|config\w*|attempt)[^,;.]*$|(?:last|past|over) $|(?:took|"
            r"taken|takes|spent|lost|waited|since|ago|every)(?: \w+){0,2} $",
            before,
        ):
            continue
        if match["one"] and re.search(
            r"(?:\d|hundreds?|thousands?|dozens|many|several|few|once|twice|times) *\w* *$", before
        ):
            continue
        if wrong := re.search(rf"(?<!\w)(?P<name>{_OTHER_UNITS}) ?(?:of|is|at|to|:|=)? *$", before):
            name = next(field for field, words in _NOT_TIMES.items() if re.fullmatch(words, wrong["name"]))
            reading.refuse_value(name, match.start(), match.end(), "it is not measured in time")
            continue
        seconds = _duration(match)
        if re.search(r"(?:length|tokens|context)(?: of| is|:)? *$", before):
            reading.refuse_value(
                "constraints.max_seq_length", match.start(), match.end(), "a length is a number of tokens"
            )
        else:
            _claim_seconds(reading, match, seconds)


def _claim_seconds(reading: Reading, match: re.Match[str], seconds: float) -> None:
    corrected = re.compile(rf"[\s,;.()-]*(?:{CORRECTION}[\s,:.-]*)+(?P<n>{NUMBER})(?!\s*[a-z%$\w])").match(
        reading.text.left, match.end()
    )
    if corrected and (unit := re.search(rf"({_UNIT})$", match.group())):
        reading.claim(
            "budget.seconds", whole(number(corrected["n"]) * _seconds_in(unit[1])), match.start(), corrected.end()
        )
        return
    reading.claim("budget.seconds", whole(round(seconds, 3)), match.start(), match.end())


def _duration(match: re.Match[str]) -> float:
    if match["half"]:
        return _seconds_in(match["hu"]) / 2
    if match["plus"]:
        count = 1.0 if match["pn"] in ("a", "an") else number(match["pn"])
        return (count + 0.5) * _seconds_in(match["pu"])
    if match["and"]:
        return (number(match["an"]) + 0.5) * _seconds_in(match["au"])
    if match["quarter"]:
        return 2700.0 if match["qn"] or match["qd"] else 900.0
    if match["colon"]:
        return int(match["hh"]) * 3600.0 + int(match["mm"]) * 60.0 + int(match["ss"] or 0)
    if match["clock"]:
        return int(match["ch"]) * 3600.0 + int(match["cm"]) * 60.0
    if match["one"]:
        return _seconds_in(match["ou"])
    parts = re.finditer(rf"(?P<n>{_COMMA_NUMBER})\s*-?\s*(?P<u>{_UNIT})(?!\w)", match["sum"])
    total = sum(_decimal(part["n"]) * _seconds_in(part["u"]) for part in parts)
    return -total if match["sum"].startswith("-") else total


def _decimal(text: str) -> float:
    return float(text.replace(",", ".")) if re.fullmatch(r"\d+,\d{1,2}", text) else number(text)


def _seconds_in(unit: str) -> float:
    return next(seconds for pattern, seconds in _UNITS.items() if re.fullmatch(pattern, unit))


def _read_dollars(reading: Reading) -> None:
    pattern = re.compile(
        r"(?:\$|usd\s?)\s?(?P<a>\d+(?:[.,]\d+)?|\.\d+)(?![\w])|(?<![\w.])(?P<b>\d+(?:[.,]\d+)?|"
        rf"{NUMBER})\s?(?:\$|usd|us dollars?|dollars?|bucks)(?!\w)|"
        rf"(?<![\w.])(?P<c>{NUMBER})\s?cents(?!\w)"
    )
    for match in list(pattern.finditer(reading.text.left)):
        value = number(match["c"]) / 100 if match["c"] else _decimal(match["a"] or match["b"])
        reading.claim("budget.llm_usd", whole(value), match.start(), match.end())


def _read_sizes(reading: Reading) -> None:
    """GB of GPU memory and MB of adapter; which of the two the words around a size tell."""
    for name in ("max_vram_gb", "max_adapter_mb"):
        for match in reading.find_all(rf"{name}[\"']?\s*[:=]?\s*(?P<n>{NUMBER})"):
            _claim_number(reading, f"constraints.{name}", match, "n")
    size = re.compile(
        r"(?<![\w.])(?P<n>\d+(?:[.,]\d+)?)\s*-?(?P<u>gib|gb|g|mib|mb|kb|gigabytes?|gigs?|megabytes?)(?!\w)"
    )
    for match in list(size.finditer(reading.text.left)):
        amount = _decimal(match["n"])
        megabytes = amount * (1 if match["u"][0] == "m" else 1000 if match["u"][0] == "g" else 0.001)
        before, after = reading.before(match.start(), 60), reading.text.clean[match.end() : match.end() + 30]
        adapter = max((m.start() for m in re.finditer(r"adapter|lora (?:file|weights)", before)), default=-1)
        gpu = max((m.start() for m in re.finditer(rf"(?<!\w){_GPU}|fits?\b|rtx|a100|t4|l4|v100", before)), default=-1)
        if re.match(r"[\s\w-]{0,12}?\badapter", after) or adapter > gpu:
            reading.claim("constraints.max_adapter_mb", whole(round(megabytes, 6)), match.start(), match.end())
        elif re.match(r"\s*(?:of )?(?:(?:system |cpu |host |main )(?:ram|memory)|ram)\b", after):
            continue
        elif gpu >= 0 or re.match(rf"[\s\w-]{{0,16}}?(?<!\w){_GPU}", after):
            gigabytes = amount if match["u"][0] == "g" else megabytes / 1000
            reading.claim("constraints.max_vram_gb", whole(round(gigabytes, 6)), match.start(), match.end())


def _read_length(reading: Reading) -> None:
    count = rf"(?P<n>{NUMBER})\s?(?P<k>k)?"
    pattern = (
        r"(?:max(?:imum|\.)?[ _-]*)?(?:seq(?:uence|s)?[ _-]*(?:len(?:gth)?s?)?|(?:context|input|token|"
        r"text|example|prompt)[ _-]*(?:len(?:gth)?|window|size)|"
        r"max[ _-]*(?:len(?:gth)?|tokens)|maximum length|length|context|truncat(?:e|ed|ing|ion)|"
        r"cut ?off)(?: (?:the )?(?:texts?|inputs?|rows|examples|sequences))?"
        r"(?:\s*[=:]\s*|\s+(?:is |of |at |to |after |<=? ?|limited to |capped at |limit |up to |"
        rf"at most |max )*){count}(?:[ -]?tokens?)?"
    )
    after = (
        r"(?P<n2>(?<![\w.])\d+(?:,\d{3})?)\s?(?P<k2>k)?[ -]?(?:tokens?|token)(?! (?:per second|"
        r"budget|of (?:v?ram|memory|gpu)))(?: (?:max(?:imum)?|context|limit|sequences?|at most|long))*"
    )
    for match in reading.find_all(f"{pattern}|{after}"):
        if re.search(r"time(?: limit| budget)?(?: of| is|:)? *$", reading.before(match.start())) or re.match(
            rf"\s*(?:{_UNIT}|gb|mb)(?!\w)", reading.text.left[match.end() :]
        ):
            reading.refuse_value(
                "constraints.max_seq_length", match.start(), match.end(), "a length is a number of tokens"
            )
            continue
        name = "n" if match["n"] else "n2"
        scale = 1024 if match["k" if name == "n" else "k2"] else 1
        if number(match[name]) * scale >= 8:
            _claim_number(reading, "constraints.max_seq_length", match, name, lambda v, s=scale: whole(v * s))  # type: ignore[misc]
