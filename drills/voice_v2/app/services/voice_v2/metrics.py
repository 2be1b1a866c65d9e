"""The counters that /metrics exports, each there with 0 from the start."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from app.services.voice_v2.core.config import ProviderType
from app.services.voice_v2.core.schemas import Operation
from app.services.voice_v2.providers.base import Outcome

STATUSES = ("ok", "rejected", "error")

REQUESTS = Counter(
    "voice_requests_total",
    "Requests by operation and status: ok, rejected (4xx), error (5xx)",
    ["operation", "status"],
)
PROVIDER_REQUESTS = Counter(
    "voice_provider_requests_total",
    "Requests to providers, each retry counted",
    ["provider", "operation", "outcome"],
)
REQUEST_SECONDS = Histogram(
    "voice_request_seconds",
    "Time to serve a request",
    ["operation"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30),
)
SWITCHES = Counter("voice_provider_switches_total", "Requests handed on to the next provider")

for _operation in Operation:
    REQUEST_SECONDS.labels(_operation.value)
    for _status in STATUSES:
        REQUESTS.labels(_operation.value, _status)
    for _provider in ProviderType:
        for _outcome in Outcome:
            PROVIDER_REQUESTS.labels(_provider.value, _operation.value, _outcome.value)
