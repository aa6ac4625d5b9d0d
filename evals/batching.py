"""Running a model over many rows: its mode put back after, length-sorted batches, halved where memory runs out."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from evals.spec import EvalSpec
from trainers.errors import AttemptFailed
from trainers.spec import FailureReason

Result = TypeVar("Result")


@contextmanager
def judging(model: Any, spec: EvalSpec) -> Iterator[None]:
    """`model` in evaluation mode without gradients, and in its former mode afterwards.

    no_grad rather than inference_mode: the model may be trained again, and a buffer that a forward pass renews (the
    rotary frequencies of long-context models) must not become an inference tensor.
    """
    import torch

    was_training = bool(model.training)
    autocast = torch.autocast(model.device.type, torch.bfloat16) if spec.precision == "bf16" else nullcontext()
    model.eval()
    try:
        with torch.no_grad(), autocast:
            yield
    finally:
        model.train(was_training)


def in_batches(lengths: Sequence[int], batch_size: int, run: Callable[[list[int]], list[Result]]) -> list[Result]:
    """`run` over all row numbers, the longest first and at most `batch_size` at once; results in row order.

    A batch that does not fit the GPU is halved, and so are all after it. Raises AttemptFailed(OOM_GPU) when a single
    row does not fit.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    results: dict[int, Result] = {}
    while len(results) < len(order):
        rows = order[len(results) : len(results) + batch_size]
        values = _fitting(run, rows)
        if values is not None:
            results.update(zip(rows, values, strict=True))
        elif len(rows) == 1:
            message = f"evaluating one row of {lengths[rows[0]]} tokens does not fit in GPU memory"
            raise AttemptFailed(FailureReason.OOM_GPU, message)
        else:
            batch_size = len(rows) // 2
    return [results[row] for row in range(len(order))]


def _fitting(run: Callable[[list[int]], list[Result]], rows: list[int]) -> list[Result] | None:
    import torch

    try:
        return run(rows)
    except torch.OutOfMemoryError:
        pass  # leave the handler first: its traceback holds the tensors that are to be freed
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def padded(sequences: Sequence[Sequence[int]], fill: int, device: Any, left: bool = False) -> tuple[Any, Any]:
    """Token ids and attention mask, both (rows, longest), int64 on `device`."""
    import torch

    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), fill, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        span = slice(longest - len(sequence), longest) if left else slice(0, len(sequence))
        ids[row, span] = torch.tensor(sequence, dtype=torch.long)
        mask[row, span] = 1
    return ids.to(device), mask.to(device)


def finite(logits: Any) -> Any:
    """`logits` as float32. Raises AttemptFailed(NAN) if one is NaN or infinite: the model has diverged."""
    import torch

    logits = logits.float()
    if not bool(torch.isfinite(logits).all()):
        raise AttemptFailed(FailureReason.NAN, "the model gives logits that are not finite numbers; training diverged")
    return logits
