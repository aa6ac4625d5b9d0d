"""Which problems a benchmark runs on."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from evals.search_bench.files import load_tables
from evals.search_bench.packaged import COLLECTIONS, load_packaged
from evals.search_bench.problem import Problem
from evals.search_bench.renamed import Renamed
from evals.search_bench.synthetic import load_synthetic
from trainers.errors import InputError

SUITES = ("tables", *COLLECTIONS, "synthetic")


def load_problems(
    suites: Sequence[str], directories: Sequence[Path] = (), only: Sequence[str] = (), renamed: bool = False
) -> list[Problem]:
    """The problems of `suites` (of `SUITES`) whose names match one of the patterns `only`; with `renamed` their twins
    too. `tables` are those of `directories`. Raises InputError for an unknown suite, a bad table, or none left.
    """
    problems: list[Problem] = []
    for suite in dict.fromkeys(suites):
        problems += _suite(suite, directories)
    _check_names(problems)
    matching = [p for p in problems if not only or any(fnmatchcase(p.name, pattern) for pattern in only)]
    if not matching:
        names = ", ".join(p.name for p in problems[:6])
        raise InputError("--only", f"must match a problem, {', '.join(only)} matches none.", f"Names: {names}, ...")
    return [*matching, *(Renamed(p) for p in matching)] if renamed else matching


def _suite(suite: str, directories: Sequence[Path]) -> list[Problem]:
    if suite == "tables":
        if not directories:
            raise InputError("--suite", "tables needs a directory of tables, none was given.", "Add --tables DIR.")
        return [problem for directory in directories for problem in load_tables(directory)]
    if suite == "synthetic":
        return load_synthetic()
    if suite in COLLECTIONS:
        return load_packaged(suite)
    raise InputError("--suite", f"must be of {', '.join(SUITES)}, got {suite!r}.", "Give one or more, with commas.")


def _check_names(problems: list[Problem]) -> None:
    names = [p.name for p in problems]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError("--tables", f"names must differ, {twice!r} is there twice.", "Rename one, or give one suite.")
