"""Counts and times of requests, in Prometheus' text format."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
BOUNDS = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")
VERBS = ("GET", "HEAD", "POST", "DELETE")


def metric(name: str, kind: str, words: str, samples: Mapping[str, object]) -> list[str]:
    """The lines of one metric; each sample stands under what follows the name: `{state="DONE"}`, `_sum{route="/"}`."""
    head = [f"# HELP tunewright_{name} {words}", f"# TYPE tunewright_{name} {kind}"]
    return [*head, *(f"tunewright_{name}{labels} {value}" for labels, value in samples.items())]


class Measures:
    """What has been asked so far. Cheap to count, read now and then. Usable from several threads."""

    def __init__(self) -> None:
        self._requests = Counter[str]()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    def count(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """One request; by the route's pattern, so that nobody fills the memory with paths of their own."""
        route = getattr(scope.get("route"), "path", None) or "other"
        verb = scope["method"] if scope["method"] in VERBS else "other"
        with self._lock:
            self._requests[f'{{method="{verb}",route="{route}",status="{status or 499}"}}'] += 1
            self._buckets.setdefault(route, [0] * len(BOUNDS))[bisect_left(BUCKETS, seconds)] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def lines(self) -> list[str]:
        """Counter and histogram of all requests."""
        times: dict[str, object] = {}
        with self._lock:
            for route, counts in sorted(self._buckets.items()):
                sums = list(accumulate(counts))
                times |= {f'_bucket{{route="{route}",le="{bound}"}}': n for bound, n in zip(BOUNDS, sums, strict=True)}
                times[f'_sum{{route="{route}"}}'] = f"{self._seconds[route]:.6f}"
                times[f'_count{{route="{route}"}}'] = sums[-1]
            requests = dict(sorted(self._requests.items()))
        return [
            *metric("http_requests_total", "counter", "Requests answered.", requests),
            *metric("http_request_seconds", "histogram", "Time until the response began.", times),
        ]
