"""Counts and times of requests, in Prometheus' text format."""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Measures:
    """What has been asked so far. Cheap to count, read now and then."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        self._lock = threading.Lock()

    def count(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """One request; by the route's pattern, so that nobody fills the memory with paths of their own."""
        route = scope.get("route")
        name = getattr(route, "path", None) or "other"
        verb = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE") else "other"
        with self._lock:
            key = (verb, name, status or 499)
            self._requests[key] = self._requests.get(key, 0) + 1
            buckets = self._buckets.setdefault(name, [0] * (len(BUCKETS) + 1))
            buckets[bisect_left(BUCKETS, seconds)] += 1
            self._sums[name] = self._sums.get(name, 0.0) + seconds

    def lines(self) -> Iterator[str]:
        """Counter and histogram of all requests."""
        with self._lock:
            requests = dict(self._requests)
            buckets = {name: list(counts) for name, counts in self._buckets.items()}
            sums = dict(self._sums)
        yield "# HELP tunewright_http_requests_total Requests answered."
        yield "# TYPE tunewright_http_requests_total counter"
        for (verb, route, status), n in sorted(requests.items()):
            yield f'tunewright_http_requests_total{{method="{verb}",route="{route}",status="{status}"}} {n}'
        yield "# HELP tunewright_http_request_seconds Time until the response began."
        yield "# TYPE tunewright_http_request_seconds histogram"
        for route, counts in sorted(buckets.items()):
            total = 0
            for limit, n in zip((*BUCKETS, float("inf")), counts, strict=True):
                total += n
                bound = "+Inf" if limit == float("inf") else f"{limit:g}"
                yield f'tunewright_http_request_seconds_bucket{{route="{route}",le="{bound}"}} {total}'
            yield f'tunewright_http_request_seconds_sum{{route="{route}"}} {sums[route]:.6f}'
            yield f'tunewright_http_request_seconds_count{{route="{route}"}} {total}'
