"""Opening the sealed test split: `python -P -m tools.open_test`, a process of its own.

Reads one `OpenTestSpec` from standard input, writes one `OpenedTest`. The coordinator counts the opening in the
store before it starts this process; nothing else in the project reads the test rows after planning.
"""

import hashlib
import sys
import threading
import time
from pathlib import Path

from pydantic import Field

from evals.judge import evaluate
from evals.spec import EvalResult, EvalSpec
from tools.worker import end_now, take_over_stdout
from trainers.errors import TunewrightError
from trainers.saved import load_reference, load_saved
from trainers.spec import Closed


class OpenTestSpec(Closed):
    """Which saved models to score on the sealed rows."""

    evaluate: EvalSpec
    test_sha256: str = Field(description="fingerprint of the test rows recorded in the plan")
    models: dict[str, Path] = Field(description="name (a trial id) to adapter directory")


class OpenedTest(Closed):
    """The scores of one opening; all models saw the same rows in the same order."""

    results: dict[str, EvalResult]
    seconds: float


class SealBroken(TunewrightError):
    """The test rows are not those of the plan."""

    code = "seal_broken"


def open_test(spec: OpenTestSpec) -> OpenedTest:
    """Score every model on the sealed test rows. Raises SealBroken if their fingerprint differs from the plan's."""
    digest = hashlib.sha256(spec.evaluate.file.read_bytes()).hexdigest()
    if digest != spec.test_sha256:
        raise SealBroken(
            f"the test rows in {spec.evaluate.file} must have sha256 {spec.test_sha256[:12]}, found {digest[:12]}. "
            "They were changed after the plan was approved; start a new study."
        )
    started = time.monotonic()
    results = {}
    for name, directory in spec.models.items():
        saved = load_saved(directory)
        results[name] = evaluate(saved.model, saved.tokenizer, spec.evaluate, load_reference(saved.facts))
    return OpenedTest(results=results, seconds=time.monotonic() - started)


def main() -> None:
    """Serve one opening."""
    out = take_over_stdout()
    spec = OpenTestSpec.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    out.write(open_test(spec).model_dump_json() + "\n")


def _end_with_parent() -> None:
    sys.stdin.read()
    end_now()


if __name__ == "__main__":
    main()
