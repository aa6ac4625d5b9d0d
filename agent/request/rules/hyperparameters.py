"""What a request says about hyperparameters: fixed values, ranges and lists, each with its name in the words nearby."""

import re
from dataclasses import dataclass

from agent.request.rules.amounts import NUMBER, OWN_LIST, VALUE, search_value
from agent.request.rules.claims import CORRECTION, Reading
from trainers.spec import Choices


@dataclass(frozen=True)
class Hyperparameter:
    """How one hyperparameter is called, and how its numbers are to be read."""

    name: str
    called: str
    value_first: str | None = None
    """Names that may follow the number: "3 epochs"."""
    percent: bool = False
    brackets_are_range: bool = False


HYPERPARAMETERS = (
    Hyperparameter("head_lr_ratio", r"head[- _](?:lr|learning[- ]rate)[- _](?:ratio|multiplier|factor)"),
    Hyperparameter(
        "learning_rate",
        r"(?:peak |base |initial |max )?learning[- _]?rates?|lrs?|step sizes?",
        r"(?:peak )?(?:learning[- _]?rate|lr)",
        brackets_are_range=True,
    ),
    Hyperparameter("lora_alpha", r"(?:lora[- _]?)?alphas?", r"(?:lora[- ])?alpha"),
    Hyperparameter("lora_dropout", r"(?:lora[- _]?)?dropouts?(?: rate)?", r"(?:lora[- ])?dropout", True, True),
    Hyperparameter(
        "lora_rank",
        r"(?:lora[- _]?|adapter[- _])?ranks?|lora[- _]r|r(?=\s*(?:=|:|∈|in \{|in \[))|r(?=\d+(?!\w))",
        r"rank",
    ),
    Hyperparameter(
        "batch_size",
        r"(?:(?:effective|global|total|train(?:ing)?|per[- _]device|mini)[- _]?)*batch[- _]?sizes?|bs|"
        r"bsz|(?:mini-?)?batch(?:es)?",
        r"(?:effective )?batch(?:[- _]size)?",
    ),
    Hyperparameter(
        "epochs",
        r"(?:num[_ ]|number of |n_)?(?:train(?:ing)?[_ ])?epochs?",
        r"(?:training )?(?:epochs?|eps?|passes(?: over the data)?)",
    ),
    Hyperparameter("weight_decay", r"weight[- _]?decay|wd", r"weight[- _]?decay", True, True),
    Hyperparameter(
        "warmup_ratio",
        r"warm-?up(?:[- _](?:ratio|fraction|share))?",
        r"(?:lr |learning[- ]rate )?warm-?up(?: ratio)?",
        True,
        True,
    ),
    Hyperparameter(
        "max_grad_norm",
        r"(?:max(?:imum)?[- _])?grad(?:ient)?[- _](?:norm|clip(?:ping)?)(?:[- _]norm)?|"
        r"clip(?:ping)? (?:the )?gradients?|clip(?:ping)?",
    ),
    Hyperparameter("simpo_gamma", r"(?:simpo[- _])?gamma(?:[- ]beta ratio)?|target margin"),
    Hyperparameter("label_smoothing", r"label[- _]?smoothing", None, True, True),
    Hyperparameter("beta", r"(?:dpo[- _]|kl[- _])?betas?|β", r"beta", brackets_are_range=True),
)

_CONNECTOR = (
    r"(?:(?<=r)(?=\d)|[\"']?\s*(?:=|:|∈|-+>|=>|(?<=\w)-(?=\d))\s*|\s+(?:(?:of|is|are|at|to|in|be|over|from the|with|"
    r"set|"
    r"fixed|should|set to|fixed at|fixed to|values?|"
    r"range|ranges|ranging|varying|search|searched|sweep|sweeping|try|trying|either|among|one of|"
    r"any of|somewhere|exactly|use|de|von|di|van|da|auf|bei|"
    r"log-?uniform(?:ly)?|uniform(?:ly)?|log-?scale|"
    r"only|just|the|must|stay|go|instead)\s+)*(?:=|:)?\s*)"
)
_VAGUE = (
    r"(?:about|around|roughly|approximately|circa|ca\.?|near|~|≈|maybe|something like|at most|at least|no more than|"
    r"not more than|no less than|not less than|up to|below|under|above|more than|less than|smaller than|"
    r"larger than|greater than|lower than|higher than|bigger than|max(?:imum|imal|\.)?(?: of)?|min(?:imum|imal|"
    r"\.)?(?: of)?|"
    r"not (?:above|below|over|under)|<=?|>=?|≤|≥|over(?! (?:\[|{|\(|[\d.e^-]+(?: ?,| to| or|/|-|\.\.))))"
)
"""Such words before a hyperparameter's value leave it open: an estimate or one end of a range states none."""
_SCHEDULERS: dict[str, str] = {
    "cosine_with_restarts": r"cosine[- _]with[- _]restarts|cosine restarts",
    "constant_with_warmup": r"constant[- _]with[- _]warm-?up",
    "cosine": r"cosine",
    "linear": r"linear",
    "constant": r"constant",
    "polynomial": r"polynomial",
    "inverse_sqrt": r"inverse[- _](?:sqrt|square[- ]root)",
}
_MODULE = (
    r"(?:(?:q|k|v|o|up|down|gate|out|in)_proj|query|key|value|c_attn|c_proj|c_fc|qkv_proj|"
    r"query_key_value|q_lin|k_lin|v_lin|out_lin|fc\d|dense|lin1|lin2|w[12])"
)
_ALL_LINEAR = (
    r"all[- ]linear(?:[- ](?:layers|modules))?|(?:all|every)(?: the| of the)? linear (?:layers?|"
    r"modules?)|target[_ ]modules?\s*[=:]?\s*all(?:[- ]linear)?"
)


def read_hyperparameters(reading: Reading) -> None:
    """Claim search.*; each number is read once, next to its name."""
    _read_modules(reading)
    _read_scheduler(reading)
    for parameter in HYPERPARAMETERS:
        _skip_vague(reading, parameter)
    for parameter in HYPERPARAMETERS:
        _read_named(reading, parameter)
    for parameter in HYPERPARAMETERS:
        if parameter.value_first:
            _read_value_first(reading, parameter)


def _read_named(reading: Reading, parameter: Hyperparameter) -> None:
    bounded = rf"(?P<low>{NUMBER})\s*(?:<=?|≤)\s*(?:{parameter.called})\s*(?:<=?|≤)\s*(?P<high>{NUMBER})"
    for match in reading.find_all(bounded):
        value = search_value(f"between {match['low']} and {match['high']}")
        reading.claim(f"search.{parameter.name}", value, match.start(), match.end())
    for match in reading.find_all(rf"(?:{parameter.called}){_CONNECTOR}(?P<value>{VALUE})"):
        if re.match(
            r"\s*(?:trials?|runs?|hours?|minutes?|gb|mb|usd|\$)(?!\w|\s*[=:])", reading.text.left[match.end() :]
        ):
            continue
        _claim(reading, parameter, match)


def _skip_vague(reading: Reading, parameter: Hyperparameter) -> None:
    """Pass over "a rank below 64", "no more than 3 epochs" and "lr around 1e-4"."""
    patterns = [
        rf"(?:{parameter.called})\s*(?:of|is|at|be|should|must|stay|stays|kept|set|to|with|a|the|values?|\s)*\s*"
    ]
    ends = [rf"\s*{NUMBER}(?!\s*(?:to|-|and|\.\.)\s*\d)"]
    if parameter.value_first:
        patterns.append("")
        ends.append(rf"\s*{NUMBER}[\s-]+(?:{parameter.value_first})(?!\s*=|[\"']?:\s*[\d\[])")
    for start, end in zip(patterns, ends, strict=True):
        for match in re.finditer(rf"(?<!\w){start}{_VAGUE}{end}", reading.text.left):
            between = rf"{NUMBER}\s*(?:<=?|≤)\s*$"
            if not re.search(between, reading.text.left[: match.start()]):
                reading.text.consume(*match.span())


def _read_value_first(reading: Reading, parameter: Hyperparameter) -> None:
    for match in reading.find_all(
        rf"(?P<value>{OWN_LIST}|{VALUE})(?:\s+|-|(?<=%)\s*|(?<=\d)(?=ep))(?:of |"
        rf"as (?:the )?)?(?:{parameter.value_first})(?!\s*=|[\"']?:\s*[\d\[])"
    ):
        _claim(reading, parameter, match)


def _claim(reading: Reading, parameter: Hyperparameter, match: re.Match[str]) -> None:
    value = search_value(
        match["value"].strip(), brackets_are_range=parameter.brackets_are_range, percent=parameter.percent
    )
    end = match.end()
    corrected = re.compile(rf"[\s,;.()-]*(?:{CORRECTION}[\s,:.-]*)+(?P<n>{NUMBER})(?!\s*[a-z%$\w])").match(
        reading.text.left, end
    )
    if corrected:
        value, end = search_value(corrected["n"]), corrected.end()
    reading.claim(f"search.{parameter.name}", value, match.start(), end)


def _read_modules(reading: Reading) -> None:
    joint = r"(?:\s*(?:,|and|,\s*and|&|\+|/)\s*(?:the\s+)?)"
    marker = (
        r"(?:(?:target[_ ]modules?|modules|layers)\s*(?:=|:|are|is|to|on)?\s*[\[(]?\s*|(?:only|"
        r"just)\s+(?:the\s+|on\s+)*)"
    )
    if match := reading.find(_ALL_LINEAR):
        reading.claim("search.target_modules", "all-linear", match.start(), match.end())
    elif match := reading.find(
        rf"{marker}?(?P<list>[\"']?{_MODULE}[\"']?(?:{joint}[\"']?{_MODULE}[\"']?)*)[\])]?(?:\s+(?:only|"
        r"layers|modules|projections))*"
    ):
        names = re.findall(_MODULE, match["list"])
        plain = len(names) == 1 and "_" not in names[0] and not re.match(r"target|modules", match.group())
        if not plain:
            reading.claim("search.target_modules", ",".join(names), match.start(), match.end())


def _read_scheduler(reading: Reading) -> None:
    kind = "|".join(_SCHEDULERS.values())
    listed = rf"(?:{kind})(?:\s*(?:,|or|and|/|,\s*or)\s*(?:{kind}))*"
    noun = r"(?:(?:lr|learning[- ]rate)[- _])?(?:schedul(?:e|er|es|ers|ing)|decay|anneal(?:ing)?)(?:[- _]type)?"
    match = reading.find(
        rf"(?P<a>{listed})[- ]{noun}|{noun}(?:\s*[=:]\s*|\s+(?:is |of |to |in |among |"
        rf"either )*)[\[{{(]?(?P<b>{listed})|(?P<c>cosine)"
    )
    if match is None:
        return
    said = match["a"] or match["b"] or match["c"]
    names = re.findall(kind, said)
    values = tuple(dict.fromkeys(next(v for v, p in _SCHEDULERS.items() if re.fullmatch(p, name)) for name in names))
    reading.claim(
        "search.scheduler", values[0] if len(values) == 1 else Choices(choices=values), match.start(), match.end()
    )
