"""One run from outside: curve, early stop, lost runs, out of memory."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.arguments import scratch_directory
from trainers.base import Resident
from trainers.errors import AttemptFailed
from trainers.fit import fit
from trainers.progress import DIVERGED_POINTS, Progress, points
from trainers.spec import FailureReason


def test_curve_reaches_the_caller(classification):
    """Every point is reported as it is measured, with the length of the schedule; evaluations are at even steps."""
    seen = []
    spec = classification(n_evaluations=3)
    result = fit(spec, Resident(), lambda point, total: seen.append((point, total))).result
    assert tuple(point for point, _ in seen) == result.curve
    assert {total for _, total in seen} == {12}
    assert [p.step for p in result.curve if p.eval_loss is not None] == [4, 8, 12]
    assert all(p.grad_norm is not None and p.learning_rate is not None for p in result.curve if p.loss is not None)
    assert result.tokens_per_second > 0
    assert result.peak_memory_mb > 0
    assert 0 < result.train_seconds < 60
    assert not scratch_directory(spec).exists()


def test_losses_are_measured_at_shares_of_the_run(classification):
    """`evaluate_at` takes the place of even steps; a share that ends before the first step is the first step."""
    result = fit(classification(evaluate_at=(0.01, 1 / 3, 2 / 3, 1.0)), Resident(), lambda p, n: None).result
    assert [p.step for p in result.curve if p.eval_loss is not None] == [1, 4, 8, 12]


def test_early_stop_is_a_prefix_of_the_full_run(classification):
    """max_steps ends the run inside the same schedule: the losses are the first of the full run's."""
    full = fit(classification(n_evaluations=0), Resident(), lambda p, n: None).result
    short = fit(classification(n_evaluations=0, max_steps=5), Resident(), lambda p, n: None).result
    assert short.steps == 5
    assert [p.loss for p in short.curve] == [p.loss for p in full.curve][:5]
    assert short.curve[-1].learning_rate == full.curve[4].learning_rate


def test_lost_run_fails_as_nan(sft):
    """A run whose loss becomes infinite ends at once with reason NAN and the step."""
    with pytest.raises(AttemptFailed, match="at step") as caught:
        fit(sft(learning_rate=1e30, max_grad_norm=1e9), Resident(), lambda p, n: None)
    assert caught.value.reason is FailureReason.NAN


def test_diverging_loss_is_stopped(sft):
    """A loss that stays far above its start ends the run; a spike does not."""
    progress = Progress(sft(), lambda p, n: None)
    state = type("State", (), {"global_step": 1})()
    for loss in [1.0, 1.0, 1.0, 30.0, *[1.0] * 10]:
        progress.on_log(None, state, None, {"loss": loss, "grad_norm": 1.0})
    for _ in range(DIVERGED_POINTS + 1):  # two points until the median of five follows
        progress.on_log(None, state, None, {"loss": 9.0, "grad_norm": 1.0})
    with pytest.raises(AttemptFailed, match="diverged"):
        progress.on_log(None, state, None, {"loss": 9.0, "grad_norm": 1.0})


@given(last=st.integers(1, 10_000), n=st.integers(1, 60))
def test_points_are_spread_and_end_at_the_last_step(last, n):
    """At most n steps within the run, the last one among them."""
    chosen = points(last, n)
    assert len(chosen) <= n
    assert max(chosen) == last
    assert min(chosen) >= 1


def test_out_of_gpu_memory_halves_the_micro_batch(classification):
    """The effective batch stays, the change is listed, and the result is that of the smaller micro-batch."""
    failures = [torch.cuda.OutOfMemoryError("CUDA out of memory")]

    def on_point(point, total):
        if failures:
            raise failures.pop()

    result = fit(classification(micro_batch=8, max_steps=3), Resident(), on_point).result
    assert (result.micro_batch, result.gradient_accumulation) == (4, 2)
    assert result.deviations == (
        "Micro-batch cut from 8 to 4 with 2 accumulation steps after running out of GPU memory; "
        "the effective batch stayed 8.",
    )
    expected = fit(classification(micro_batch=4, max_steps=3), Resident(), lambda p, n: None).result
    assert [p.loss for p in result.curve] == [p.loss for p in expected.curve]


def test_out_of_memory_with_one_row_fails(classification):
    """When one row at a time is too much, the attempt fails with reason OOM_GPU."""

    def on_point(point, total):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(AttemptFailed) as caught:
        fit(classification(micro_batch=2), Resident(), on_point)
    assert caught.value.reason is FailureReason.OOM_GPU


def test_out_of_host_memory_is_classified(classification):
    """A MemoryError while training is OOM_HOST."""

    def on_point(point, total):
        raise MemoryError

    with pytest.raises(AttemptFailed) as caught:
        fit(classification(), Resident(), on_point)
    assert caught.value.reason is FailureReason.OOM_HOST
