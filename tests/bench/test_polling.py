"""The status of a running study comes within 50 ms for 95 of 100 polls of five clients."""

import pytest

from agent.settings import load_settings
from agent.study.store import Store
from tests.bench.polling import poll, training


def test_every_poll_is_answered_and_counted(tmp_path, lab):
    """Five clients, once a second each; of a study that nobody runs, so that the figures say nothing of its cost."""
    from tests.agent.faces.http.conftest import quiet_queue, serving

    home = tmp_path / "home"
    home.mkdir()
    with Store.open(load_settings(home=home).database) as store:
        study = store.create_study(lab.plan(trials=3)).study_id
    with quiet_queue(home), serving(home, tmp_path) as server:
        latencies = poll(server.url, server.token, study, clients=5, hertz=1.0, seconds=2.0)
    assert (latencies.requests, latencies.failed) == (10, 0)
    assert 0 < latencies.p50_ms <= latencies.p95_ms <= latencies.worst_ms


@pytest.mark.slow
def test_a_training_study_answers_within_50_ms(tmp_path):
    """Over half a minute of training on the same cores."""
    with training(tmp_path / "home", tmp_path) as (url, token, study):
        latencies = poll(url, token, study, clients=5, hertz=1.0, seconds=30.0)
    assert latencies.failed == 0
    assert latencies.p95_ms < 50, latencies
