"""Names, help and labels of every metric. Never a topic, a key or an object's name as a label: those have no bound.

A `Metric` here is data; a process makes live ones of it on its own registry, so that tests and two operators in one
process do not share counters. docs/reference/metrics.md is generated from these lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name (with the unit), what it tells, its labels; `buckets` for a histogram."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: Sequence[float] = _SECONDS

    def counter(self, registry: CollectorRegistry) -> Counter:
        """Make it live as a counter."""
        return Counter(self.name, self.help, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """Make it live as a gauge."""
        return Gauge(self.name, self.help, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """Make it live as a histogram."""
        return Histogram(self.name, self.help, self.labels, registry=registry, buckets=tuple(self.buckets))


RECONCILIATIONS: Final = Metric(
    "eventstreams_reconciliations_total",
    "Reconciliations by kind and result: done, gone, unreadable, refused, not_yet, conflict, bug",
    ("kind", "result"),
)
RECONCILIATION_SECONDS: Final = Metric(
    "eventstreams_reconciliation_duration_seconds", "Duration of one reconciliation with its status write", ("kind",)
)
QUEUE_DEPTH: Final = Metric("eventstreams_queue_depth", "Objects that wait to be reconciled", ("kind",))
QUEUE_OLDEST_SECONDS: Final = Metric(
    "eventstreams_queue_oldest_seconds", "How long the object that waits longest has waited", ("kind",)
)
RESOURCES: Final = Metric(
    "eventstreams_resources", "Objects by kind and status of their Ready condition", ("kind", "ready")
)
STATUS_WRITES: Final = Metric("eventstreams_status_writes_total", "Writes of a status to the Kubernetes API", ("kind",))
SWEEPS: Final = Metric(
    "eventstreams_sweeps_total", "Complete comparisons with the Kubernetes API by kind and result", ("kind", "result")
)
MISSED_EVENTS: Final = Metric(
    "eventstreams_missed_events_total",
    "Changes and deletions that a sweep found and no watch had told; steadily above 0 means a broken watch",
    ("kind",),
)
LEADER: Final = Metric("eventstreams_leader", "1 while this replica holds the Lease and acts, 0 on standby")
ADMIN_CALLS: Final = Metric(
    "eventstreams_kafka_admin_calls_total",
    "Calls to Kafka's admin API by call and result: ok or error",
    ("call", "result"),
)
ADMIN_SECONDS: Final = Metric(
    "eventstreams_kafka_admin_call_duration_seconds", "Duration of calls to Kafka's admin API", ("call",)
)
ADMIN_BATCH: Final = Metric(
    "eventstreams_kafka_admin_batch_size", "Items sent in one call to Kafka's admin API", ("call",), buckets=_SIZES
)
CERTIFICATE_SECONDS: Final = Metric(
    "eventstreams_certificate_seconds_to_expiry",
    "Seconds until a certificate of an instance ends",
    ("namespace", "instance", "certificate"),
)

OPERATOR: Final = (
    RECONCILIATIONS,
    RECONCILIATION_SECONDS,
    QUEUE_DEPTH,
    QUEUE_OLDEST_SECONDS,
    RESOURCES,
    STATUS_WRITES,
    SWEEPS,
    MISSED_EVENTS,
    LEADER,
    ADMIN_CALLS,
    ADMIN_SECONDS,
    ADMIN_BATCH,
    CERTIFICATE_SECONDS,
)
