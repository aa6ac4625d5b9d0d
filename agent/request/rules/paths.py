"""Things in a request that look like paths, URLs or hub ids, and which of them are unsafe to touch."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from agent.request.rules.claims import Reading
from agent.request.rules.text import USED, regex
from agent.request.rules.vocabulary import WORDS

EXTENSION = (
    r"(?:csv|tsv|jsonl?|ndjson|parquet|pq|txt|arrow|feather|xlsx?|ya?ml|db|sqlite|pkl|pickle|pem|"
    r"key)(?:\.(?:gz|zst|bz2|xz|zip))?|zip|tar|gz|safetensors"
)

_PLAIN = r"[^\s\x00,;\"'`<>(){}\[\]=|\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"

_LOCATION = (
    rf"(?i)(?P<quoted>\"[^\"\n\x00]{{1,200}}\"|`[^`\n\x00]{{1,200}}`|(?<!\w)'[^'\n\x00]{{1,200}}'(?!\w))|"
    rf"(?P<url>(?:[a-z][a-z0-9+]*)://{_PLAIN}+)|"
    rf"(?P<windows>(?<!\w)(?:[a-z]:[\\/]|\\\\){_PLAIN}+)|"
    rf"(?P<builtin>(?<!\w)stdlib:[\w-]+(?:@\d+)?)|"
    rf"(?P<path>(?<![\w~.$}}%])(?:~\w*|\$\w+|\$\{{\w+\}}|%\w+%|\.\.?)[\\/]{_PLAIN}*|(?<![\w])/{_PLAIN}*|"
    rf"(?<![\w\\])[\w.-]+(?:\\[\w.@-]+)+)|"
    rf"(?P<encoded>(?<![\w/])[\w./\\-]*%[0-9a-f]{{2}}{_PLAIN}*)|"
    rf"(?P<id>(?<![\w/.@-])[\w.-]+(?:/{_PLAIN}+)+/?|(?<![\w/.@-])[\w-][\w.-]*/(?![\w/]))|"
    rf"(?P<file>(?<![\w/.@-])[\w-][\w.-]*?\.(?:{EXTENSION})(?![\w]))|"
    rf"(?P<secret>(?<![\w/])(?:\.env|\.ssh|\.netrc|\.bashrc|\.git-credentials|id_(?:rsa|dsa|ecdsa|ed25519))(?!\w))"
)

_UNSAFE = (
    r"(?i)^file:|^\\\\|^//|(?:^|[\\/])\.\.(?:[\\/]|$)|"
    r"^/(?:etc|root|proc|sys|dev|boot|bin|sbin|usr|lib\d*|var/(?:lib|log|run|spool|mail)|run|private/etc)(?:/|$)|"
    r"(?:^|[\\/])\.(?:ssh|aws|gnupg|kube|docker|netrc|env|pgpass|config|git|npmrc|pypirc|bash_history|bashrc|"
    r"git-credentials|huggingface|cache[\\/]huggingface[\\/]token)(?:$|[\\/.])|"
    r"(?:^|[\\/])id_(?:rsa|dsa|ecdsa|ed25519)|"
    r"(?:^|[\\/])(?:credentials?|secrets?|shadow|passwd|authorized_keys|known_hosts)(?:\.\w+)?$|"
    r"\.(?:pem|key|pfx|p12|keystore)$|^[a-z]:[\\/](?:windows|program files|programdata)|"
    r"(?:^|[\\/])(?:api_?keys?|private_?keys?|tokens?|passwords?)(?:\.\w+)?$|"
    r"^~(?!/)\w+|^%\w+%|\x00|^/home/[^/]+/(?:\.|secrets?|private|passwords?|keys?)|^smb:|^(?:ssh|sftp|ftp)://|"
    r"^\$\{?\w+"
)


@dataclass(frozen=True)
class Location:
    """A path or id as typed, with its position in `Text.clean`."""

    value: str
    start: int
    kind: str

    @property
    def span(self) -> tuple[int, int]:
        """Where it begins and ends."""
        return self.start, self.start + len(self.value)


def is_file(name: str) -> bool:
    """Whether a name ends as data files do."""
    return regex(rf"(?i)\.(?:{EXTENSION})$").search(name) is not None


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
    return any(regex(_UNSAFE).search(form) for form in (value, plain, slashed))


def find_locations(reading: Reading) -> list[Location]:
    """Everything left to read that looks like a path, URL, hub id or file, in order."""
    characters = zip(reading.text.cased, reading.text.left, strict=True)
    visible = "".join(USED if left == USED else cased for cased, left in characters)
    matches = regex(_LOCATION).finditer(visible)
    return [location for match in matches if (location := _location(visible, match)) is not None]


def _location(visible: str, match: re.Match[str]) -> Location | None:
    kind, start, value = str(match.lastgroup), match.start(), match.group()
    if kind == "quoted":
        value, start = value[1:-1], start + 1
        inner = regex(_LOCATION).match(value.strip())
        kind = "file" if inner is None or is_file(value) else str(inner.lastgroup)
        if not is_file(value) and (inner is None or not regex(r"[/\\]|\.\w{2,7}$|^stdlib:|^\.env").search(value)):
            return None
    elif kind != "builtin":
        value = value.rstrip(".,:!?*").removesuffix("'s")
    if kind == "id" and _is_prose(value):
        return None
    root = value == "/" and kind == "path"
    if root and not regex(r"(?:on|from|in|to|into|under|with|use|path|dir|of)\W$").search(visible[:start]):
        return None
    return Location(value, start, kind) if value.strip("/~") or value in ("~", "/", "~/") else None


def _is_prose(value: str) -> bool:
    """Whether a slash joins words or numbers: "and/or", "train/test", "0.1/0.5"."""
    parts = [part.lower() for part in value.split("/") if part]
    words = all(part in WORDS.no_hub_id or part.isalpha() for part in parts)
    numbers = all(regex(r"[\d.]+%?|[\d.]*e-?\d+|\d+[a-z]+").fullmatch(part) for part in parts)
    return numbers or (words and parts[0] in WORDS.no_hub_id)
