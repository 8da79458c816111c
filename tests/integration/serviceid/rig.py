"""The ServiceID room alone, on a real API server: the instance's status and CA bundle are set by hand."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from eventstreams.api.instance import EventStreamsInstance, InstanceStatus
from eventstreams.api.serviceid import ServiceID, ServiceIDStatus
from eventstreams.api.topic import Topic, TopicStatus
from eventstreams.core.clock import SystemClock
from eventstreams.core.keyring import DATA_KEY, SHARDS, KeyGrant, load
from eventstreams.core.names import API_VERSION
from eventstreams.kafka.connections import Kafkas
from eventstreams.kube.apis import CONFIG_MAPS, EVENTS, INSTANCES, SECRETS, SERVICE_IDS, TOPICS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import Controller, Limits
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.queue import Backoff
from eventstreams.runtime.settings import OperatorSettings
from eventstreams.serviceid.keyring import Keyrings
from eventstreams.serviceid.reconcile import ServiceIDReconciler
from integration.waiting import eventually

LIMITS = Limits(workers=32, backoff=Backoff(base_seconds=0.2, cap_seconds=1.0))
NEVER = "1970-01-01T00:00:00Z"
CA_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
ENDPOINTS = [
    {"name": "producer-api", "uri": "https://demo-rest.ns.svc", "scope": "internal"},
    {"name": "producer-api", "uri": "https://203.0.113.7:32443", "scope": "external"},
]


class Rig:
    """One namespace with an instance `demo` that is Ready by hand."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace

    @asynccontextmanager
    async def operating(self, guard: Callable[[], None] = lambda: None) -> AsyncIterator[Context]:
        """Run the ServiceID controller, new each time, until the block ends. `guard` runs before every write."""
        context = self._new_context(guard)
        async with asyncio.TaskGroup() as group:
            watches = []
            for controller in (context.instances, context.service_ids):
                listed = await self.kube.list(controller.api, self.namespace)
                for manifest in listed.items:
                    controller.found(manifest)
                watch = self._watch(controller, listed.resource_version)
                watches.append(group.create_task(watch))
            keyrings = Keyrings(context)
            working = group.create_task(context.service_ids.run(ServiceIDReconciler(context, keyrings)))
            try:
                yield context
            finally:
                context.service_ids.queue.close()
                await asyncio.wait({working})
                for watch_task in watches:
                    watch_task.cancel()

    async def instance(self) -> None:
        """Make the instance `demo` and what the instance room makes of it."""
        external = {"bootstrapServers": "kafka:9093", "authentication": {"secretRef": {"name": "user"}}}
        await self.kube.create(self._manifest("EventStreamsInstance", "demo", {"kafka": {"external": external}}))
        bundle = {"configMap": "demo-ca-bundle", "fingerprints": ["f1"]}
        status = {"endpoints": ENDPOINTS, "caBundle": bundle}
        await self.kube.patch(INSTANCES, self.namespace, "demo", {"status": status}, subresource="status")
        metadata = {"namespace": self.namespace, "name": "demo-ca-bundle"}
        await self.kube.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": CA_PEM}}
        )

    async def service_id(self, name: str = "app", /, **spec: Any) -> Manifest:
        """Create a ServiceID."""
        given = {"instanceRef": {"name": "demo"}, "role": "editor", "topics": ["orders"], **spec}
        return await self.kube.create(self._manifest("ServiceID", name, given))

    async def get(self, name: str = "app") -> ServiceID:
        """Return a ServiceID as the API server has it."""
        manifest = await self.kube.get(SERVICE_IDS, self.namespace, name)
        assert manifest is not None
        return ServiceID.model_validate(manifest)

    async def ready(self, name: str = "app", *, status: str = "True") -> ServiceID:
        """Wait until the newest generation of a ServiceID has this Ready condition, and return it."""

        async def look() -> ServiceID | None:
            resource = await self.get(name)
            found = {one.type: one.status for one in resource.status.conditions}
            current = resource.status.observed_generation == resource.metadata.generation
            return resource if current and found.get("Ready") == status else None

        return await eventually(look, f"Ready={status} of {name}")

    async def gone(self, name: str = "app") -> None:
        """Wait until a ServiceID is gone."""

        async def look() -> bool:
            return await self.kube.get(SERVICE_IDS, self.namespace, name) is None

        await eventually(look, f"{name} is gone")

    async def secret(self, name: str = "app-credentials") -> Manifest | None:
        """Return a Secret."""
        return await self.kube.get(SECRETS, self.namespace, name)

    async def key_text(self, name: str = "app-credentials") -> str:
        """Return the API key in a Secret."""
        secret = await self.secret(name)
        assert secret is not None
        return base64.b64decode(secret["data"]["api-key"]).decode()

    async def versions(self) -> dict[tuple[str, str], str]:
        """Return the resourceVersion of everything that the operator writes: equal means that nothing was written."""
        return {
            (api.kind, one["metadata"]["name"]): one["metadata"]["resourceVersion"]
            for api in (SERVICE_IDS, SECRETS, CONFIG_MAPS, EVENTS)
            for one in (await self.kube.list(api, self.namespace)).items
        }

    async def keyring(self) -> dict[str, KeyGrant]:
        """Return what the 16 ConfigMaps grant, by key id."""
        names = [f"demo-keyring-{number}" for number in range(SHARDS)]
        shards = [await self.kube.get(CONFIG_MAPS, self.namespace, name) for name in names]
        grants = [grant for one in shards if one is not None for grant in load(one["data"][DATA_KEY]).keys]
        return {grant.id: grant for grant in grants}

    def _manifest(self, kind: str, name: str, spec: Manifest) -> Manifest:
        metadata = {"namespace": self.namespace, "name": name}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}

    async def _watch(self, controller: Controller[Any, Any], version: str) -> None:
        async for event in self.kube.watch(controller.api, self.namespace, resource_version=version):
            if event.type != "BOOKMARK":
                controller.seen({"type": event.type, "object": event.object})

    def _new_context(self, guard: Callable[[], None]) -> Context:
        kube, clock, metrics = self.kube.guarded(guard), SystemClock(), Metrics()
        tools: dict[str, Any] = {"kube": kube, "clock": clock, "metrics": metrics, "limits": LIMITS}
        return Context(
            settings=OperatorSettings(watch_namespaces=self.namespace, namespace=self.namespace),
            kube=kube,
            clock=clock,
            entropy=secrets.token_bytes,
            metrics=metrics,
            kafkas=Kafkas(timeout_seconds=3.0, record=lambda _: None),
            instances=Controller[EventStreamsInstance, InstanceStatus](
                INSTANCES, EventStreamsInstance.model_validate, **tools
            ),
            topics=Controller[Topic, TopicStatus](TOPICS, Topic.model_validate, **tools),
            service_ids=Controller[ServiceID, ServiceIDStatus](SERVICE_IDS, ServiceID.model_validate, **tools),
            owned={},
        )
