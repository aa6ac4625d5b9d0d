"""Health and metrics."""

import re

from agent.study.nouns import StudyState

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?[0-9.]+(e-?\d+)?')


def test_health_says_whether_work_gets_done(client, service, lab):
    """Here somebody holds the queue; what is queued and paused is counted."""
    ids = [service.desk.store.create_study(lab.plan()).study_id for _ in range(3)]
    for study in ids:
        service.desk.store.enqueue(study)
    service.desk.pause(ids[0])
    told = client.get("/healthz").json()
    assert (told["status"], told["queue"], told["paused"]) == ("ok", 2, 1)
    assert isinstance(told["dispatcher"], int)


def test_metrics_can_be_read_by_prometheus(client, service, lab):
    """Every line has the form; studies, trials and requests are counted by route, not by path."""
    done, _ = (service.desk.store.create_study(lab.plan(trials=2)).study_id for _ in range(2))
    lab.run(service.desk.store, done)
    for path in ("/v1/studies/1", "/v1/studies/2", "/v1/studies/1/trials", "/nothing/secret"):
        client.get(path)
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert f'tunewright_studies{{state="{StudyState.DONE}"}} 1' in lines
    assert 'tunewright_http_requests_total{method="GET",route="/v1/studies/{study}",status="200"} 2' in lines
    assert 'tunewright_http_requests_total{method="GET",route="/v1/studies/{study}/trials",status="200"} 1' in lines
    assert 'tunewright_http_requests_total{method="GET",route="other",status="404"} 1' in lines
    assert "secret" not in answer.text


def test_histograms_are_cumulative(client):
    """The last bucket is the count."""
    for _ in range(5):
        client.get("/healthz")
    text = client.get("/metrics").text
    buckets = [int(n) for n in re.findall(r'_bucket\{route="/healthz",le="[^"]+"\} (\d+)', text)]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 5
    assert 'tunewright_http_request_seconds_count{route="/healthz"} 5' in text
