"""Results as a table, for a terminal and as Markdown."""

from rich.console import Console
from rich.table import Table as Grid

from evals.search_bench.summary import Comparison, Numbers, Results

NOTE = (
    "Ratio of mean regrets with a bootstrap interval over problems; p of a one-sided paired Wilcoxon test over "
    "problems that the regret is lower; problems with less regret and with more."
)


def print_results(results: Results, console: Console) -> None:
    """The overall means, the families, and each method against the better of tpe and gp."""
    console.print(_grid("all problems", results.methods))
    if len(results.families) > 1:
        for family, numbers in results.families.items():
            console.print(_grid(family, numbers))
    if results.renamed:
        console.print(_grid("renamed twins", results.renamed))
    for line in test_lines(results):
        console.print(line, highlight=False)


def _grid(title: str, methods: dict[str, Numbers]) -> Grid:
    head, *rows = rows_of(methods)
    some = next(iter(methods.values()))
    grid = Grid(title=f"{title}: {some.n_problems} problems, mean normalised regret", title_justify="left")
    for i, name in enumerate(head):
        grid.add_column(name, justify="right" if i else "left")
    for row in rows:
        grid.add_row(*row)
    return grid


def page(results: Results, plot: str) -> str:
    """All numbers but those of single problems as Markdown; `plot` is the picture beside it."""
    settings = ", ".join(f"{name} {value}" for name, value in results.settings.items() if name != "methods")
    parts = [
        "# Search methods compared",
        "Mean normalised regret of the best configuration so far: 0 the optimum, 1 the median configuration; means "
        f"over seeds, then over problems. {settings[:1].upper()}{settings[1:]}. Single problems are in `results.json`.",
        f"![regret against trials]({plot})",
        *_section("All problems", results.methods),
        *(_section("Renamed twins", results.renamed) if results.renamed else ()),
    ]
    if len(results.families) > 1:
        parts += [part for family, numbers in results.families.items() for part in _section(family, numbers)]
    for title, tests in (("Against TPE and GP", results.tests), ("Renamed twins", results.renamed_tests)):
        if tests:
            parts += [f"## {title}", NOTE, _markdown(_test_rows(tests))]
    return "\n\n".join(parts) + "\n"


def _section(title: str, methods: dict[str, Numbers]) -> tuple[str, str]:
    n = next(iter(methods.values())).n_problems
    return f"## {title} ({n} problem{'s' if n > 1 else ''})", _markdown(rows_of(methods))


def _test_rows(tests: dict[str, dict[str, dict[str, Comparison]]]) -> list[list[str]]:
    """A head and a row per method and number of trials, against the better of tpe and gp."""
    head = ["method", "trials", "against", "ratio [95 %]", "p", "better", "worse"]
    return [
        head,
        *(
            [method, at, c.against, _ratio(c), _formatted(c.p_value, ".3g"), str(c.wins), str(c.losses)]
            for method, against in tests.items()
            for at, c in against.get("better", {}).items()
        ),
    ]


def _markdown(rows: list[list[str]]) -> str:
    head, *body = rows
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def rows_of(methods: dict[str, Numbers]) -> list[list[str]]:
    """A head and one row per method."""
    trials = list(next(iter(methods.values())).regret)
    head = ["method", *(f"@{n}" for n in trials), "area", "failed", "twice", "s/prop.", "tokens"]
    return [head, *([name, *_cells(numbers, trials)] for name, numbers in methods.items())]


def _cells(n: Numbers, trials: list[str]) -> list[str]:
    regrets = [f"{n.regret[t]:.3f}" for t in trials]
    shares = [_share(n.failed_share), _share(n.duplicate_share)]
    costs = [_formatted(n.seconds_per_proposal, ".3f"), _formatted(n.tokens_per_proposal, ".0f")]
    return [*regrets, f"{n.area:.3f}", *shares, *costs]


def test_lines(results: Results) -> list[str]:
    """One line per method: regret as a ratio of the better of tpe and gp, with 95 % intervals."""
    return [
        f"{method} / better of tpe and gp: " + ", ".join(f"{_at(n)} {_ratio(c)}" for n, c in tests["better"].items())
        for method, tests in results.tests.items()
        if "better" in tests
    ]


def _at(place: str) -> str:
    return f"@{place}" if place.isdigit() else place


def _ratio(c: Comparison) -> str:
    if c.ratio is None:
        return "-"
    span = f" [{c.ci95[0]:.2f}, {c.ci95[1]:.2f}]" if c.ci95 else ""
    return f"{c.ratio:.2f}{span}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"


def _formatted(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
