"""Things in a request that look like paths, URLs or hub ids, and which of them are unsafe to touch."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from agent.request.rules.claims import Reading
from agent.request.rules.text import USED, Lazy

EXTENSION = (
    r"(?:csv|tsv|jsonl?|ndjson|parquet|pq|txt|arrow|feather|xlsx?|ya?ml|db|sqlite|pkl|pickle|pem|"
    r"key)(?:\.(?:gz|zst|bz2|xz|zip))?|zip|tar|gz|safetensors"
)

_PLAIN = r"[^\s\x00,;\"'`<>(){}\[\]=|\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"

_LOCATION = Lazy(
    rf"(?P<quoted>\"[^\"\n\x00]{{1,200}}\"|`[^`\n\x00]{{1,200}}`|(?<!\w)'[^'\n\x00]{{1,200}}'(?!\w))|"
    rf"(?P<url>(?:[a-z][a-z0-9+]*)://{_PLAIN}+)|"
    rf"(?P<windows>(?<!\w)(?:[a-z]:[\\/]|\\\\){_PLAIN}+)|"
    rf"(?P<builtin>(?<!\w)stdlib:[\w-]+(?:@\d+)?)|"
    rf"(?P<path>(?<![\w~.$}}%])(?:~\w*|\$\w+|\$\{{\w+\}}|%\w+%|\.\.?)[\\/]{_PLAIN}*|(?<![\w])/{_PLAIN}*|"
    rf"(?<![\w\\])[\w.-]+(?:\\[\w.@-]+)+)|"
    rf"(?P<encoded>(?<![\w/])[\w./\\-]*%[0-9a-f]{{2}}{_PLAIN}*)|"
    rf"(?P<id>(?<![\w/.@-])[\w.-]+(?:/{_PLAIN}+)+/?|(?<![\w/.@-])[\w-][\w.-]*/(?![\w/]))|"
    rf"(?P<file>(?<![\w/.@-])[\w-][\w.-]*?\.(?:{EXTENSION})(?![\w]))|"
    rf"(?P<secret>(?<![\w/])(?:\.env|\.ssh|\.netrc|\.bashrc|\.git-credentials|id_(?:rsa|dsa|ecdsa|ed25519))(?!\w))",
    re.IGNORECASE,
)

UNSAFE = Lazy(
    r"^file:|^\\\\|^//|(?:^|[\\/])\.\.(?:[\\/]|$)|^/(?:etc|root|proc|sys|dev|boot|bin|sbin|usr|"
    r"lib\d*|var/(?:lib|log|run|spool|mail)|run|private/etc)(?:/|$)|"
    r"(?:^|[\\/])\.(?:ssh|aws|gnupg|kube|docker|netrc|env|pgpass|config|git|npmrc|pypirc|"
    r"bash_history|bashrc|git-credentials|huggingface|cache[\\/]huggingface[\\/]token)(?:$|"
    r"[\\/.])|"
    r"(?:^|[\\/])id_(?:rsa|dsa|ecdsa|ed25519)|(?:^|[\\/])(?:credentials?|secrets?|shadow|passwd|"
    r"authorized_keys|known_hosts)(?:\.\w+)?$|"
    r"\.(?:pem|key|pfx|p12|keystore)$|^[a-z]:[\\/](?:windows|program files|programdata)|(?:^|"
    r"[\\/])(?:api_?keys?|private_?keys?|tokens?|passwords?)(?:\.\w+)?$|"
    r"^~(?!/)\w+|^%\w+%|\x00|^/home/[^/]+/(?:\.|secrets?|private|passwords?|keys?)|^smb:|^(?:ssh|sftp|ftp)://|"
    r"^\$\{?\w+",
    re.IGNORECASE,
)

_NOT_IDS_WORDS = (
    "and or validation train test val dev eval prompt completion question answer input output chosen rejected "
    "text label accuracy f1 loss lora dpo sft qlora dora he she his her him they w n a i o yes no on off km tcp "
    "true false his/her precision recall f1-score macro micro lr rank adapter base user assistant response "
    "instruct chat tune cpu gpu good bad positive negative spam ham yes/no pass fail either both day hour trial "
    "min sec epoch model data hub study study/trial "
)
_NOT_IDS = frozenset(_NOT_IDS_WORDS.split())


@dataclass(frozen=True)
class Location:
    """A path or id as typed, with its position in `Text.clean`."""

    value: str
    start: int
    end: int
    kind: str


def is_unsafe(value: str) -> bool:
    """Whether a path, however it is spelled, leaves the working directory or names keys, secrets or system files.

    Percent escapes (also of percent signs), Unicode look-alikes of dots and slashes, backslashes, repeated slashes and
    "./" steps are undone first.
    """
    plain = value
    for _ in range(3):
        plain = unquote(plain)
    plain = unicodedata.normalize("NFKC", plain).replace("\u2044", "/").replace("\u2215", "/")
    slashed = re.sub(r"(?<!:)(?<!^)/{2,}", "/", re.sub(r"(?<=[\\/])(?:\.[\\/])+", "", plain.replace("\\", "/")))
    return any(UNSAFE.search(form) for form in (value, plain, slashed))


def find_locations(reading: Reading) -> list[Location]:
    visible = "".join(
        USED if left == USED else c for c, left in zip(reading.text.cased, reading.text.left, strict=True)
    )
    found = []
    for match in _LOCATION.finditer(visible):
        kind, start, value = str(match.lastgroup), match.start(), match.group()
        if kind == "quoted":
            value = value[1:-1]
            inner = _LOCATION.match(value.strip())
            named = re.search(rf"\.(?:{EXTENSION})$", value, re.IGNORECASE) is not None
            if (inner is None and not named) or (
                inner is not None and not re.search(r"[/\\]|\.\w{2,7}$|^stdlib:|^\.env", value)
            ):
                continue
            kind, start = str(inner.lastgroup) if inner and not named else "file", start + 1
        elif kind != "builtin":
            value = value.rstrip(".,:!?*")
            value = value[:-2] if value.endswith("'s") else value
        if kind == "id" and _is_prose(value):
            continue
        if (
            value == "/"
            and kind == "path"
            and not re.search(r"(?:on|from|in|to|into|under|with|use|path|dir|of)\W$", visible[:start])
        ):
            continue
        if value.strip("/~") or value in ("~", "/", "~/"):
            found.append(Location(value, start, start + len(value), kind))
    return found


def _is_prose(value: str) -> bool:
    parts = [part.lower() for part in value.split("/") if part]
    return (any(p in _NOT_IDS for p in parts[:1]) and all(p in _NOT_IDS or p.isalpha() for p in parts)) or all(
        re.fullmatch(r"[\d.]+%?|[\d.]*e-?\d+|\d+[a-z]+", p) for p in parts
    )
