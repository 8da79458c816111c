"""The instance room in the test's own process: its reconciler with a real API server, counting what it writes."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from typing_extensions import override

from eventstreams.api.instance import EventStreamsInstance, InstanceStatus
from eventstreams.api.serviceid import ServiceID, ServiceIDStatus
from eventstreams.api.topic import Topic, TopicStatus
from eventstreams.core.clock import Clock, SystemClock
from eventstreams.core.key import Key
from eventstreams.instance.objects import Objects
from eventstreams.instance.reconcile import InstanceReconciler
from eventstreams.instance.work import Work
from eventstreams.kafka.connections import Kafkas
from eventstreams.kafka.views import AdminCall
from eventstreams.kube.apis import INSTANCES, SECRETS, SERVICE_IDS, TOPICS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import Controller, Outcome
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.settings import OperatorSettings
from eventstreams.serviceid.keyring import Keyrings
from local.kafka import LocalKafka

ADMIN_SECRET = "kafka-admin"
CA_SECRET = "kafka-ca"


class DrivenClock(SystemClock):
    """The machine's clock, put forward by tests; it stands still otherwise."""

    def __init__(self) -> None:
        self.moment = super().now()

    @override
    def now(self) -> datetime:
        return self.moment


class Room:
    """One instance's reconciler, as often as a test wants; status is kept as the controller would."""

    def __init__(self, kube: Kube, namespace: str, kafkas: Kafkas, admin_calls: list[AdminCall]) -> None:
        self.writes = 0
        self.admin_calls = admin_calls
        self.key = Key(namespace, "demo")
        self.kube = kube
        self.clock = DrivenClock()
        self.context = _context(kube.guarded(self._count), namespace, kafkas, self.clock)
        self.reconciler = InstanceReconciler(self.context, Keyrings(self.context))

    async def declare(self, kafka: Manifest, **rest_producer: Any) -> None:
        """Create the instance, or give it another spec."""
        spec = {"kafka": kafka} | ({"restProducer": rest_producer} if rest_producer else {})
        metadata = {"name": self.key.name, "namespace": self.key.namespace}
        await self.kube.apply(
            {"apiVersion": INSTANCES.api_version, "kind": INSTANCES.kind, "metadata": metadata, "spec": spec}
        )

    async def reconcile(self) -> Outcome[InstanceStatus]:
        """Reconcile once, write the status, and return what came of it."""
        self.writes = 0
        resource = (await self.work()).instance
        outcome = await self.reconciler.reconcile(resource)
        assert outcome is not None
        before, self.writes = self.writes, 0
        await self.context.instances.write_status(resource, outcome.status, outcome.findings)
        self.writes = before + self.writes
        return outcome

    async def reasons(self) -> dict[str, str]:
        """Reconcile once and return the reason of each condition."""
        return {one.type: str(one.reason) for one in (await self.reconcile()).findings}

    async def work(self) -> Work:
        """Return what a pass over the instance begins with."""
        manifest = await self.kube.get(INSTANCES, *self.key)
        assert manifest is not None
        resource = self.context.instances.store.put(manifest)
        return Work(resource, Objects(self.context.kube, resource), self.context.clock.now())

    def _count(self) -> None:
        self.writes += 1


@asynccontextmanager
async def room_in(kube: Kube, namespace: str, *, kafka_seconds: float = 5) -> AsyncIterator[Room]:
    """Return a room for one instance in `namespace`; its connections are closed afterwards."""
    calls: list[AdminCall] = []
    kafkas = Kafkas(timeout_seconds=kafka_seconds, record=calls.append)
    try:
        yield Room(kube, namespace, kafkas, calls)
    finally:
        await kafkas.close()


def external(kafka: LocalKafka) -> Manifest:
    """Return `spec.kafka` of an instance that uses the broker on loopback."""
    return {
        "external": {
            "bootstrapServers": kafka.bootstrap_sasl,
            "tls": {"caSecretRef": {"name": CA_SECRET}},
            "authentication": {"type": "scram-sha-512", "secretRef": {"name": ADMIN_SECRET}},
        }
    }


async def give_credentials(kube: Kube, namespace: str, kafka: LocalKafka) -> None:
    """Make the Secrets that `external` names."""
    await make_secret(kube, namespace, CA_SECRET, {"ca.crt": kafka.ca_pem})
    user = {"username": kafka.admin_user, "password": kafka.admin_password}
    await make_secret(kube, namespace, ADMIN_SECRET, user)


async def make_secret(kube: Kube, namespace: str, name: str, texts: dict[str, str]) -> None:
    metadata = {"name": name, "namespace": namespace}
    await kube.create({"apiVersion": "v1", "kind": SECRETS.kind, "metadata": metadata, "stringData": texts})


def _context(kube: Kube, namespace: str, kafkas: Kafkas, clock: Clock) -> Context:
    metrics = Metrics()
    tools: dict[str, Any] = {"kube": kube, "clock": clock, "metrics": metrics}
    return Context(
        settings=OperatorSettings(watch_namespaces=namespace, namespace=namespace),
        kube=kube,
        clock=clock,
        entropy=secrets.token_bytes,
        metrics=metrics,
        kafkas=kafkas,
        instances=Controller[EventStreamsInstance, InstanceStatus](
            INSTANCES, EventStreamsInstance.model_validate, **tools
        ),
        topics=Controller[Topic, TopicStatus](TOPICS, Topic.model_validate, **tools),
        service_ids=Controller[ServiceID, ServiceIDStatus](SERVICE_IDS, ServiceID.model_validate, **tools),
        owned={},
    )
