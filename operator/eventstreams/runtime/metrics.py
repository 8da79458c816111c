"""The operator's live metrics, on one registry."""

from prometheus_client import CollectorRegistry

from eventstreams.core import metrics


class Metrics:
    """Counters and histograms of one operator process, named as in core/metrics.py."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.reconciliations = metrics.RECONCILIATIONS.counter(self.registry)
        self.reconciliation_seconds = metrics.RECONCILIATION_SECONDS.histogram(self.registry)
        self.queue_depth = metrics.QUEUE_DEPTH.gauge(self.registry)
        self.queue_oldest_seconds = metrics.QUEUE_OLDEST_SECONDS.gauge(self.registry)
        self.resources = metrics.RESOURCES.gauge(self.registry)
        self.status_writes = metrics.STATUS_WRITES.counter(self.registry)
        self.sweeps = metrics.SWEEPS.counter(self.registry)
        self.missed_events = metrics.MISSED_EVENTS.counter(self.registry)
        self.leader = metrics.LEADER.gauge(self.registry)
        self.admin_calls = metrics.ADMIN_CALLS.counter(self.registry)
        self.admin_seconds = metrics.ADMIN_SECONDS.histogram(self.registry)
        self.admin_batch = metrics.ADMIN_BATCH.histogram(self.registry)
        self.certificate_seconds = metrics.CERTIFICATE_SECONDS.gauge(self.registry)
