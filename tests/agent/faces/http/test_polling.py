"""The status of a running study comes within 50 ms for 95 of 100 polls of five clients."""

import pytest

from agent.settings import load_settings
from agent.study.store import Store
from tests.bench.polling import poll, training


def test_every_poll_is_answered_and_counted(running, lab):
    """Of a study that nobody runs: the figures say nothing of what training costs."""
    with Store.open(load_settings(home=running.home).database) as store:
        study = store.create_study(lab.plan(trials=3)).study_id
    latencies = poll(running.url, running.token, study, clients=5, hertz=1.0, seconds=2.0)
    assert (latencies.requests, latencies.failed) == (10, 0)
    assert 0 < latencies.p50_ms <= latencies.p95_ms <= latencies.worst_ms
    assert poll(running.url, running.token, "999999", clients=1, hertz=2.0, seconds=1.0).failed == 2


@pytest.mark.slow
def test_a_study_that_trains_answers_within_50_ms(tmp_path):
    """Over half a minute of training on the same cores."""
    with training(tmp_path / "home", tmp_path) as (url, token, study):
        latencies = poll(url, token, study, clients=5, hertz=1.0, seconds=30.0)
    assert latencies.failed == 0
    assert latencies.p95_ms < 50, latencies
