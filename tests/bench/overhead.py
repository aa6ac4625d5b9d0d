"""What our trainers cost over a bare library loop, per optimizer step: `python -m tests.bench.overhead [--json]`.

Both sides train the same model on the same rows with the same arguments, in turns, several times; the ratio is that
of the medians. Target: at most 1.03. Evaluation, loading and tokenising are not in the timed part of either side.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from pydantic import Field

from trainers.embedded import MINILM, TINY_CAUSAL, minilm_path
from trainers.spec import Closed, Loss, Task, TrainSpec
from trainers.tiny_causal import build_tiny_causal, docstrings

TARGET_RATIO = 1.03
WORDS = 24


class Comparison(Closed):
    """One trainer against the bare loop."""

    task: Task
    base_model: str
    ours_ms: float = Field(description="median wall time of an optimizer step, milliseconds")
    bare_ms: float
    ratio: float = Field(description="ours_ms / bare_ms; 1.03 means 3 % slower")
    spread: float = Field(description="largest over smallest bare time: how noisy this machine was")
    repeats: int
    steps: int


class Overhead(Closed):
    """All trainers."""

    target_ratio: float
    comparisons: tuple[Comparison, ...]


def measure_overhead(directory: Path, *, repeats: int = 5, steps: int = 20, batch_size: int = 8) -> Overhead:
    """Time every trainer against its bare loop; models and data are made in `directory`.

    Takes `repeats` + 1 rounds (the first is not counted) of two runs of `steps` steps for each of three tasks: about
    two minutes with the defaults on two cores.
    """
    return Overhead(
        target_ratio=TARGET_RATIO,
        comparisons=tuple(_compare(task, directory, repeats, steps, batch_size) for task in Task),
    )


def _compare(task: Task, directory: Path, repeats: int, steps: int, batch_size: int) -> Comparison:
    from tests.bench.bare_loops import bare_seconds_per_step
    from trainers.base import Resident
    from trainers.fit import fit

    spec = _spec(task, directory, steps, batch_size)
    resident = Resident()
    ours, bare = [], []
    for turn in range(repeats + 1):
        result = fit(spec, resident, lambda point, total: None).result
        resident.reset()
        reference = bare_seconds_per_step(spec)
        if turn:
            ours.append(result.train_seconds / result.steps)
            bare.append(reference)
    return Comparison(
        task=task,
        base_model=spec.base_model,
        ours_ms=round(1000 * median(ours), 3),
        bare_ms=round(1000 * median(bare), 3),
        ratio=round(median(ours) / median(bare), 4),
        spread=round(max(bare) / min(bare), 3),
        repeats=repeats,
        steps=steps,
    )


def _spec(task: Task, directory: Path, steps: int, batch_size: int) -> TrainSpec:

    minilm = minilm_path() if task is Task.CLASSIFICATION else None
    file = directory / f"{task}.jsonl"
    rows = _rows(task, steps * batch_size)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return TrainSpec(
        task=task,
        base_model=MINILM if minilm else TINY_CAUSAL,
        base_path=str(minilm or build_tiny_causal(directory / "tiny-causal")),
        adapter="lora",
        loss=Loss.SIGMOID if task is Task.PREFERENCE else None,
        config={
            "learning_rate": 1e-4,
            "lora_rank": 8,
            "lora_alpha": 16,
            "lora_dropout": 0.0,
            "target_modules": "all-linear",
            "batch_size": batch_size,
            "epochs": 1,
            "weight_decay": 0.0,
            "warmup_ratio": 0.1,
            "scheduler": "linear",
            "max_grad_norm": 1.0,
            "head_lr_ratio": 1,
            "beta": 0.1,
        },
        seed=0,
        train_file=file,
        validation_file=file,
        labels=("even", "odd") if task is Task.CLASSIFICATION else (),
        max_seq_length=64,
        micro_batch=batch_size,
        n_evaluations=0,
        output_dir=directory / "out",
    )


def _rows(task: Task, n: int) -> list[dict[str, str | int]]:
    """Rows of equal length cut from the standard library's docstrings, so that batches cost the same on both sides."""

    words = " ".join(docstrings()).split()
    texts = [" ".join(words[i * WORDS : (i + 1) * WORDS]) for i in range(2 * n)]
    if task is Task.CLASSIFICATION:
        return [{"text": texts[i], "label": i % 2} for i in range(n)]
    if task is Task.SFT:
        return [{"prompt": texts[2 * i], "completion": " " + texts[2 * i + 1]} for i in range(n)]
    return [
        {"prompt": texts[i][:40], "chosen": f" {texts[i][40:]}", "rejected": f" {texts[n + i][40:]}"} for i in range(n)
    ]


def main() -> None:
    """Print a table, or the `Overhead` as JSON."""
    parser = argparse.ArgumentParser(description="Per-step cost of our trainers over bare library loops.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        overhead = measure_overhead(Path(scratch), repeats=options.repeats, steps=options.steps)
    if options.json:
        sys.stdout.write(overhead.model_dump_json() + "\n")
        return
    sys.stdout.write(f"{'task':16}{'ours ms/step':>14}{'bare ms/step':>14}{'ratio':>8}{'noise':>8}\n")
    for row in overhead.comparisons:
        numbers = f"{row.ours_ms:14.1f}{row.bare_ms:14.1f}{row.ratio:8.3f}{row.spread:8.2f}"
        sys.stdout.write(f"{row.task:16}{numbers}\n")
    sys.stdout.write(f"target: ratio at most {overhead.target_ratio}\n")


if __name__ == "__main__":
    main()
