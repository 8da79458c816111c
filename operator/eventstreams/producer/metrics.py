"""Counting without locks on the hot path: plain numbers of one thread, turned into metrics when scraped."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from eventstreams.core.metrics import Metric
from eventstreams.producer.allowance import Reason

REQUESTS: Final = Metric(
    "eventstreams_producer_requests_total",
    "Requests by status code of the answer, but for those to /alive and /ready",
    ("code",),
)
REQUEST_SECONDS: Final = Metric(
    "eventstreams_producer_request_duration_seconds",
    "From a complete request to its answer, Kafka's confirmation included",
    buckets=(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
TOLD_LATER: Final = Metric(
    "eventstreams_producer_told_later_total",
    "Requests told to come later: requests_per_second and bytes_per_second are limits of a ServiceID (429); with share "
    "a ServiceID, with window the process has too much in flight to Kafka, or coming in (503)",
    ("reason",),
)
RECORD_BYTES: Final = Metric("eventstreams_producer_record_bytes_total", "Bytes of the values that Kafka has confirmed")
RECORDS_FAILED: Final = Metric(
    "eventstreams_producer_records_failed_total",
    "Records given to Kafka's client that it did not confirm, those within an answer of 200 to many records too",
)
IN_FLIGHT: Final = Metric("eventstreams_producer_records_in_flight", "Records that Kafka has not confirmed yet")
CONNECTIONS: Final = Metric("eventstreams_producer_connections", "Open connections of clients")
OPENED: Final = Metric(
    "eventstreams_producer_connections_opened_total",
    "Connections that clients opened; as many as requests means clients that do not keep theirs",
)
KEYS: Final = Metric("eventstreams_producer_keys", "API keys known")
KEYRING_AGE: Final = Metric(
    "eventstreams_producer_keyring_age_seconds",
    "Time since the keyring was last known to be current; above 75 a revocation may not have arrived",
)
TOPICS: Final = Metric("eventstreams_producer_topics", "Topics in use, whose existence is checked every second")
TOPICS_ALONE: Final = Metric(
    "eventstreams_producer_topics_sent_alone",
    "Topics of which Kafka refused a record in the last 10 s: their records are sent one by one, which is slower",
)
KAFKA_UP: Final = Metric("eventstreams_producer_kafka_up", "1 while Kafka answers, 0 while it does not")
GAUGES: Final = (IN_FLIGHT, CONNECTIONS, KEYS, KEYRING_AGE, TOPICS, TOPICS_ALONE, KAFKA_UP)
ALL: Final = (REQUESTS, REQUEST_SECONDS, TOLD_LATER, RECORD_BYTES, RECORDS_FAILED, OPENED, *GAUGES)

Gauges = Mapping[Metric, Callable[[], float]]


class Tally:
    """What the event loop counts."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        self.told_later: Counter[Reason] = Counter()
        self.record_bytes = self.records_failed = self.connections = 0
        self._buckets = [0] * (len(REQUEST_SECONDS.buckets) + 1)
        self._seconds = 0.0

    def answered(self, status: int, seconds: float) -> None:
        """Count one answer and how long it took."""
        self.requests[status] += 1
        self._buckets[bisect_left(REQUEST_SECONDS.buckets, seconds)] += 1
        self._seconds += seconds

    def histogram(self) -> HistogramMetricFamily:
        """Return the durations as a metric."""
        total, cumulated = 0, []
        bounds = [*(str(bound) for bound in REQUEST_SECONDS.buckets), "+Inf"]
        for bound, count in zip(bounds, self._buckets, strict=True):
            total += count
            cumulated.append((bound, float(total)))
        return HistogramMetricFamily(REQUEST_SECONDS.name, REQUEST_SECONDS.help, cumulated, self._seconds)


class _Collector(Collector):
    def __init__(self, tally: Tally, gauges: Gauges) -> None:
        self._tally = tally
        self._gauges = gauges

    @override
    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        requests = CounterMetricFamily(REQUESTS.name, REQUESTS.help, labels=REQUESTS.labels)
        for status, count in sorted(self._tally.requests.items()):
            requests.add_metric([str(status)], count)
        yield requests
        yield self._tally.histogram()
        later = CounterMetricFamily(TOLD_LATER.name, TOLD_LATER.help, labels=TOLD_LATER.labels)
        for reason in Reason:
            later.add_metric([reason], self._tally.told_later[reason])
        yield later
        yield CounterMetricFamily(RECORD_BYTES.name, RECORD_BYTES.help, value=self._tally.record_bytes)
        yield CounterMetricFamily(RECORDS_FAILED.name, RECORDS_FAILED.help, value=self._tally.records_failed)
        yield CounterMetricFamily(OPENED.name, OPENED.help, value=self._tally.connections)
        for metric, read in self._gauges.items():
            yield GaugeMetricFamily(metric.name, metric.help, value=read())


def registry_of(tally: Tally, gauges: Gauges) -> CollectorRegistry:
    """Return a registry with the producer's metrics and those of its process."""
    registry = CollectorRegistry()
    registry.register(_Collector(tally, gauges))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
