"""The built-in data sets: docstrings of the running Python's own standard library, read with `ast`, never imported.

    stdlib:docstrings         text, label          first paragraph of a docstring -> topic of its module
    stdlib:docstrings-sft     prompt, completion   "def name(arguments):" -> first paragraph of its docstring
    stdlib:docstrings-pairs   prompt, chosen, rejected   its own docstring against that of another definition

`stdlib:docstrings@1500` takes a seeded sample of 1,500 rows, stratified by topic. Real text on every machine; the
rows depend on the Python version, so studies on different versions have different fingerprints.
"""

import ast
import hashlib
import re
import sysconfig
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from trainers.errors import InputError

PREFIX = "stdlib:"
NAMES = ("docstrings", "docstrings-sft", "docstrings-pairs")
MIN_WORDS = 5
MAX_WORDS = 32
"""Longer paragraphs are cut: the topic is clear by then, and 64 tokens keep a trial on two CPU cores short."""

TOPICS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("stdlib_topics.toml").read_text(encoding="utf-8"))
"""Topic to top-level modules."""

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class _Entry(NamedTuple):
    topic: str
    signature: str
    text: str


def stdlib_rows(name: str, param: str = "data.train", seed: int = 0) -> list[dict[str, object]]:
    """The rows of a `stdlib:` data set in a fixed order. InputError for an unknown name or limit.

    Cost: about 1 s, once a process.
    """
    kind, limit = _parse(name, param)
    library = Path(sysconfig.get_paths()["stdlib"])
    if not (library / "ast.py").is_file():
        rule = f"the standard library's source files must be installed; there are none in {library}."
        raise InputError(param, rule, "Use a Python that ships its sources, or give a data file.")
    entries = list(_distinct(_entries(library), with_signature=kind != "docstrings"))
    if limit is not None:
        entries = _sample(entries, limit, seed)
    if kind == "docstrings":
        return [{"text": entry.text, "label": entry.topic} for entry in entries]
    if kind == "docstrings-sft":
        return [{"prompt": entry.signature, "completion": entry.text} for entry in entries]
    return [
        {"prompt": entry.signature, "chosen": entry.text, "rejected": other.text}
        for entry, other in zip(entries, _mismatched(entries), strict=True)
    ]


def _parse(name: str, param: str) -> tuple[str, int | None]:
    kind, _, limit = name.removeprefix(PREFIX).partition("@")
    if kind not in NAMES:
        names = ", ".join(PREFIX + name for name in NAMES)
        raise InputError(param, f"the built-in data sets are {names}; there is no {name!r}.", "Choose one of them.")
    if "@" in name and not (limit.isascii() and limit.isdigit() and int(limit[:9]) > 0):
        hint = f"Write for example {PREFIX}{kind}@1500."
        raise InputError(param, f"after @ the number of rows must be a positive integer, got {limit!r}.", hint)
    return kind, int(limit[:9]) if limit else None


@cache
def _entries(library: Path) -> tuple[_Entry, ...]:
    """All documented definitions; read once a process, since a plan and its study both ask for them."""
    return tuple(
        entry
        for topic, modules in TOPICS.items()
        for module in modules
        for path in _files(library, module)
        for entry in _file_entries(topic, path)
    )


def _files(library: Path, module: str) -> list[Path]:
    single = library / f"{module}.py"
    files = [single] if single.is_file() else sorted((library / module).rglob("*.py"))
    return [file for file in files if not {"test", "tests", "idle_test"}.intersection(file.relative_to(library).parts)]


def _file_entries(topic: str, path: Path) -> Iterator[_Entry]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # lib2to3 and encodings ship files that are broken on purpose
        return
    for node in _definitions(tree):
        if text := _first_paragraph(ast.get_docstring(node)):
            yield _Entry(topic, _signature(node), text)


def _definitions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Functions and classes at any depth, in source order; expressions are not entered, which takes half the time."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _DEFINITIONS):
            yield node
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            yield from _definitions(node)


def _first_paragraph(docstring: str | None) -> str | None:
    words = re.split(r"\n\s*\n", (docstring or "").strip(), maxsplit=1)[0].split()
    return " ".join(words[:MAX_WORDS]) if len(words) >= MIN_WORDS else None


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {node.name}({bases}):" if bases else f"class {node.name}:"
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return f"{keyword} {node.name}({ast.unparse(node.args)}):"


def _distinct(entries: Iterable[_Entry], with_signature: bool) -> Iterator[_Entry]:
    """Entries whose text was not seen before (first one wins), or, for pairs and prompts, whose signature neither."""
    earlier: set[str] = set()
    for entry in entries:
        keys = {entry.text.casefold()} | ({entry.signature} if with_signature else set())
        if earlier.isdisjoint(keys):
            earlier |= keys
            yield entry


def _sample(entries: list[_Entry], limit: int, seed: int) -> list[_Entry]:
    """About `limit` entries, the same share of each topic, in the original order; all of them where there are fewer.

    Largest-remainder quotas, so that exactly `limit` are taken. Which ones depends on their text and the seed only.
    """
    if limit >= len(entries):
        return entries
    by_topic: dict[str, list[_Entry]] = defaultdict(list)
    for entry in entries:
        by_topic[entry.topic].append(entry)
    exact = {topic: limit * len(rows) / len(entries) for topic, rows in by_topic.items()}
    quota = {topic: int(share) for topic, share in exact.items()}
    for topic in sorted(exact, key=lambda t: (quota[t] - exact[t], t))[: limit - sum(quota.values())]:
        quota[topic] += 1
    sample = {e for topic, rows in by_topic.items() for e in sorted(rows, key=lambda e: _rank(e, seed))[: quota[topic]]}
    return [entry for entry in entries if entry in sample]


def _mismatched(entries: list[_Entry]) -> list[_Entry]:
    """For each entry another one, chosen by hash: entries in hash order, each paired with the next in that order."""
    order = sorted(range(len(entries)), key=lambda i: _rank(entries[i], 0))
    following = dict(zip(order, order[1:] + order[:1], strict=True))
    return [entries[following[i]] for i in range(len(entries))]


def _rank(entry: _Entry, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\n{entry.signature}\n{entry.text}".encode(), digest_size=8).digest()
