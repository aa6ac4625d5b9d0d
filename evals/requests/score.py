"""Score a reader of requests against the labelled ones.

A reader is any function from the turns of one conversation to a `Reading`; the agent layer hands it in. Definitions
of the scores are in the fields of `RequestScores`.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from pydantic import Field
from rich.console import Console

from evals.requests.labelled import LabelledRequest
from evals.requests.reading import Reading
from trainers.spec import Choices, Closed, Range, Scalar, SearchValue

RELATIVE_TOLERANCE = 1e-6
N_BOOTSTRAP = 10_000


Reader = Callable[[list[str]], Reading]


class FieldScore(Closed):
    """Counts and rates of one field, or of all of them together. A rate is None where nothing could be counted."""

    n_gold: int = Field(description="rows whose gold has the field")
    n_found: int = Field(description="of those, read with the right value, whatever the provenance")
    n_reported: int = Field(description="rows for which the reader said that the user stated the field")
    n_reported_right: int = Field(description="of those, in gold with that value")
    n_invented: int = Field(description="of the reported, not in gold at all")
    precision: float | None = Field(description="n_reported_right / n_reported")
    recall: float | None = Field(description="n_found / n_gold")


class AskScore(Closed):
    """Questions asked against questions needed, counted over all rows. A rate is None where its divisor is 0."""

    n_gold: int
    n_asked: int
    n_right: int
    precision: float | None
    recall: float | None
    f1: float | None = Field(description="2 n_right / (n_gold + n_asked)")


class KindScore(Closed):
    """Exact readings among the rows of one kind."""

    n: int
    n_exact: int


class Mismatch(Closed):
    """A stated field that was read with another value, or not at all (`got` None)."""

    field: str
    expected: SearchValue
    got: SearchValue | None


class Failure(Closed):
    """A row that was not read exactly, with everything that differed."""

    id: str
    kind: str
    texts: tuple[str, ...]
    mismatches: tuple[Mismatch, ...] = ()
    invented: dict[str, SearchValue] = {}
    expected_ask: tuple[str, ...]
    got_ask: tuple[str, ...]
    expected_refusal: str | None
    got_refusal: str | None


class RequestScores(Closed):
    """How well a reader reads. Rates lie in [0, 1]; higher is better except for `invented_rate` and `over_refused`."""

    n: int
    exact: float = Field(
        description="share of rows with every gold field right, nothing invented, the same questions, the same refusal"
    )
    exact_ci95: tuple[float, float] = Field(description="percentile bootstrap over rows; [1, 1] if all are exact")
    all_fields: FieldScore = Field(description="micro: summed over the fields")
    by_field: dict[str, FieldScore]
    invented_rate: float | None = Field(description="invented fields / fields reported as the user's")
    ask: AskScore
    refusal_accuracy: float = Field(description="share of rows with the gold refusal class (None is a class)")
    unsafe_path_refused: float | None = Field(description="share of the unsafe_path rows refused as such")
    unsupported_refused: float | None = Field(description="share of the unsupported_task rows refused as such")
    over_refused: float | None = Field(description="share of the rows without a gold refusal that were refused")
    by_kind: dict[str, KindScore]
    failures: tuple[Failure, ...]


def score(rows: Sequence[LabelledRequest], read: Reader) -> RequestScores:
    """Give each row's turns to `read` and compare. Exceptions of `read` pass through; raises ValueError if no rows."""
    if not rows:
        raise ValueError("rows must hold at least one labelled request, got none")
    readings = [read(row.texts) for row in rows]
    judged = [_failure(row, reading) for row, reading in zip(rows, readings, strict=True)]
    exact = np.array([failure is None for failure in judged])
    by_field = _by_field(rows, readings)
    everything = _field_score(sum(by_field.values(), Counter()))
    sound = [reading.refusal for row, reading in zip(rows, readings, strict=True) if row.refusal is None]
    return RequestScores(
        n=len(rows),
        exact=float(exact.mean()),
        exact_ci95=_bootstrap_ci95(exact),
        all_fields=everything,
        by_field={field: _field_score(by_field[field]) for field in sorted(by_field)},
        invented_rate=_rate(everything.n_invented, everything.n_reported),
        ask=_ask_score(rows, readings),
        refusal_accuracy=sum(a.refusal == b.refusal for a, b in zip(rows, readings, strict=True)) / len(rows),
        unsafe_path_refused=_refused(rows, readings, "unsafe_path"),
        unsupported_refused=_refused(rows, readings, "unsupported_task"),
        over_refused=_rate(len(sound) - sound.count(None), len(sound)),
        by_kind=_by_kind(rows, exact.tolist()),
        failures=tuple(failure for failure in judged if failure is not None),
    )


def same_value(expected: SearchValue, got: SearchValue | None) -> bool:
    """Whether two values mean the same: numbers within 1e-6 relative, texts exactly, choices in any order."""
    if isinstance(expected, Range):
        return isinstance(got, Range) and _same_scalar(expected.low, got.low) and _same_scalar(expected.high, got.high)
    if isinstance(expected, Choices):
        return isinstance(got, Choices) and _same_choices(expected.choices, got.choices)
    return got is not None and not isinstance(got, Range | Choices) and _same_scalar(expected, got)


def _same_scalar(a: Scalar, b: Scalar) -> bool:
    if isinstance(a, bool | str) or isinstance(b, bool | str):
        return type(a) is type(b) and a == b  # True is not 1, and "3" is not 3
    return math.isclose(a, b, rel_tol=RELATIVE_TOLERANCE)


def _same_choices(expected: tuple[Scalar, ...], got: tuple[Scalar, ...]) -> bool:
    left = list(got)
    for choice in expected:
        match = next((i for i, other in enumerate(left) if _same_scalar(choice, other)), None)
        if match is None:
            return False
        del left[match]
    return not left


def _failure(row: LabelledRequest, reading: Reading) -> Failure | None:
    """Everything in which `reading` differs from the labels of `row`, or None."""
    mismatches = tuple(
        Mismatch(field=field, expected=value, got=reading.values.get(field))
        for field, value in row.gold.items()
        if not same_value(value, reading.values.get(field))
    )
    invented = {field: value for field, value in reading.fields.items() if field not in row.gold}
    same_ask = set(row.ask) == set(reading.ask)
    if not mismatches and not invented and same_ask and row.refusal == reading.refusal:
        return None
    return Failure(
        id=row.id,
        kind=row.kind,
        texts=tuple(row.texts),
        mismatches=mismatches,
        invented=invented,
        expected_ask=row.ask,
        got_ask=reading.ask,
        expected_refusal=row.refusal,
        got_refusal=reading.refusal,
    )


def _by_field(rows: Sequence[LabelledRequest], readings: Sequence[Reading]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row, reading in zip(rows, readings, strict=True):
        for field, value in row.gold.items():
            counts[field].update(n_gold=1, n_found=same_value(value, reading.values.get(field)))
        for field, value in reading.fields.items():
            right = field in row.gold and same_value(row.gold[field], value)
            counts[field].update(n_reported=1, n_reported_right=right, n_invented=field not in row.gold)
    return counts


def _field_score(counts: Counter[str]) -> FieldScore:
    names = ("n_gold", "n_found", "n_reported", "n_reported_right", "n_invented")
    return FieldScore(
        **{name: counts[name] for name in names},
        precision=_rate(counts["n_reported_right"], counts["n_reported"]),
        recall=_rate(counts["n_found"], counts["n_gold"]),
    )


def _ask_score(rows: Sequence[LabelledRequest], readings: Sequence[Reading]) -> AskScore:
    pairs = [(set(row.ask), set(reading.ask)) for row, reading in zip(rows, readings, strict=True)]
    n_gold = sum(len(gold) for gold, _ in pairs)
    n_asked = sum(len(questions) for _, questions in pairs)
    n_right = sum(len(gold & questions) for gold, questions in pairs)
    return AskScore(
        n_gold=n_gold,
        n_asked=n_asked,
        n_right=n_right,
        precision=_rate(n_right, n_asked),
        recall=_rate(n_right, n_gold),
        f1=_rate(2 * n_right, n_gold + n_asked),
    )


def _refused(rows: Sequence[LabelledRequest], readings: Sequence[Reading], refusal: str) -> float | None:
    readings_of = [reading.refusal for row, reading in zip(rows, readings, strict=True) if row.refusal == refusal]
    return _rate(readings_of.count(refusal), len(readings_of))


def _by_kind(rows: Sequence[LabelledRequest], exact: Iterable[bool]) -> dict[str, KindScore]:
    n = Counter(row.kind for row in rows)
    n_exact = Counter(row.kind for row, hit in zip(rows, exact, strict=True) if hit)
    return {kind: KindScore(n=n[kind], n_exact=n_exact[kind]) for kind in sorted(n)}


def _bootstrap_ci95(hits: np.ndarray) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `hits` (rows,), seeded: equal hits give an equal interval."""
    # resampling rows of a yes/no outcome is a binomial draw
    means = np.random.default_rng(0).binomial(len(hits), hits.mean(), N_BOOTSTRAP) / len(hits)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def print_scores(scores: RequestScores, console: Console, *, failures: bool = True) -> None:
    """Print the rates, the kinds and, if `failures`, the rows that were not read exactly (a few lines each).

    Leave `failures` off for the test part: who writes a reader should not see it.
    """
    low, high = scores.exact_ci95
    fields, ask = scores.all_fields, scores.ask
    console.print(f"{scores.n} requests; read exactly {scores.exact:.3f} (95% interval {low:.3f} to {high:.3f})")
    console.print(f"fields: precision {_share(fields.precision)}, recall {_share(fields.recall)}", end=", ")
    console.print(f"invented {_share(scores.invented_rate)}")
    console.print(f"questions: precision {_share(ask.precision)}, recall {_share(ask.recall)}, F1 {_share(ask.f1)}")
    console.print(
        f"refusals: accuracy {scores.refusal_accuracy:.3f}, unsafe paths {_share(scores.unsafe_path_refused)}", end=", "
    )
    console.print(f"out of scope {_share(scores.unsupported_refused)}, wrongly {_share(scores.over_refused)}")
    console.print("exact by kind: " + ", ".join(f"{kind} {k.n_exact}/{k.n}" for kind, k in scores.by_kind.items()))
    for failure in scores.failures if failures else ():
        console.print(f"\n{failure.id} ({failure.kind}): " + " | ".join(failure.texts), markup=False)
        for line in _differences(failure):
            console.print(f"  {line}", markup=False)


def _differences(failure: Failure) -> Iterable[str]:
    for m in failure.mismatches:
        yield f"{m.field}: expected {_json(m.expected)}, got {_json(m.got)}"
    for field, value in failure.invented.items():
        yield f"{field}: invented {_json(value)}"
    if set(failure.expected_ask) != set(failure.got_ask):
        yield f"questions: expected {list(failure.expected_ask)}, got {list(failure.got_ask)}"
    if failure.expected_refusal != failure.got_refusal:
        yield f"refusal: expected {failure.expected_refusal}, got {failure.got_refusal}"


def _json(value: SearchValue | None) -> str:
    return json.dumps(value.model_dump() if isinstance(value, Closed) else value, ensure_ascii=False)


def _share(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.3f}"
