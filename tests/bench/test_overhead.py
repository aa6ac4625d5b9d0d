"""The benchmark of training overhead measures both sides of every trainer."""

from tests.bench.overhead import TARGET_RATIO, measure_overhead
from trainers.spec import Task


def test_every_trainer_is_compared_with_its_bare_loop(tmp_path):
    """Both sides took time, the ratio is theirs, and it is of the order of one (the target needs a quiet machine)."""
    overhead = measure_overhead(tmp_path, repeats=1, steps=2, batch_size=2)
    assert overhead.target_ratio == TARGET_RATIO
    assert [row.task for row in overhead.comparisons] == list(Task)
    for row in overhead.comparisons:
        assert row.ours_ms > 0
        assert abs(row.ratio - row.ours_ms / row.bare_ms) < 0.01 * row.ratio
        assert 0.1 < row.ratio < 10
