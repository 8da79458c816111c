"""The Topic room alone, on a real API server and a real Kafka: what it needs of the others is set by hand."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from eventstreams.api.instance import EventStreamsInstance, InstanceStatus
from eventstreams.api.serviceid import ServiceID, ServiceIDStatus
from eventstreams.api.topic import Topic, TopicStatus
from eventstreams.core.clock import SystemClock
from eventstreams.core.key import Key
from eventstreams.core.names import API_VERSION
from eventstreams.kafka.admin import KafkaAdmin
from eventstreams.kafka.config import KafkaConfig
from eventstreams.kafka.connections import Kafkas
from eventstreams.kafka.views import AdminCall
from eventstreams.kube.apis import API, EVENTS, INSTANCES, SERVICE_IDS, TOPICS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import Controller, Limits
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.queue import Backoff
from eventstreams.runtime.settings import OperatorSettings
from eventstreams.topic.reconcile import TopicReconciler
from integration.waiting import eventually

LIMITS = Limits(workers=300, backoff=Backoff(base_seconds=0.2, cap_seconds=1.0))
NEVER = "1970-01-01T00:00:00Z"


class Rig:
    """One namespace with instances before one Kafka. `kafkas` outlives an operator, as the instance room's would."""

    def __init__(self, kube: Kube, namespace: str, bootstrap_servers: str, cluster_id: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self.calls: list[AdminCall] = []
        self.kafkas = Kafkas(timeout_seconds=3.0, record=self.calls.append)
        self.context = self._new_context()
        self._config = KafkaConfig(bootstrap_servers)
        self._cluster_id = cluster_id

    @property
    def admin(self) -> KafkaAdmin:
        """The connection of the instance `demo`."""
        return self.kafkas.connect(Key(self.namespace, "demo"), self._config)

    @asynccontextmanager
    async def operating(self) -> AsyncIterator[Context]:
        """Run the Topic controller, new each time, until the block ends."""
        self.context = context = self._new_context()
        async with asyncio.TaskGroup() as group:
            watches = []
            for controller in (context.instances, context.topics):
                listed = await self.kube.list(controller.api, self.namespace)
                for manifest in listed.items:
                    controller.found(manifest)
                watch = self._watch(controller.api, listed.resource_version, controller.seen)
                watches.append(group.create_task(watch))
            working = group.create_task(context.topics.run(TopicReconciler(context)))
            try:
                yield context
            finally:
                context.topics.queue.close()
                await asyncio.wait({working})
                for watch_task in watches:
                    watch_task.cancel()

    async def instance(self, name: str = "demo", *, available: bool = True) -> None:
        """Make an instance whose Kafka answers, or change whether it does."""
        external = {"bootstrapServers": "kafka:9093", "authentication": {"secretRef": {"name": "user"}}}
        manifest = self._manifest("EventStreamsInstance", name, {"kafka": {"external": external}})
        if await self.kube.get(INSTANCES, self.namespace, name) is None:
            await self.kube.create(manifest)
        condition = {
            "type": "KafkaAvailable",
            "status": "True" if available else "False",
            "reason": "Ready" if available else "KafkaUnavailable",
            "lastTransitionTime": NEVER,
        }
        status = {"kafka": {"mode": "external", "clusterId": self._cluster_id}, "conditions": [condition]}
        await self.kube.patch(INSTANCES, self.namespace, name, {"status": status}, subresource="status")
        self.kafkas.connect(Key(self.namespace, name), self._config)

    async def topic(self, name: str, /, *, instance: str = "demo", **spec: Any) -> Manifest:
        """Create a Topic. Kafka's topic has the same name unless `spec` says another."""
        return await self.kube.create(self._manifest("Topic", name, {"instanceRef": {"name": instance}, **spec}))

    async def change(self, name: str, /, **spec: Any) -> None:
        """Change fields of a Topic's spec; None removes one."""
        await self.kube.patch(TOPICS, self.namespace, name, {"spec": spec})

    async def delete(self, name: str) -> None:
        """Delete a Topic; it may take the operator to let it go."""
        await self.kube.delete(TOPICS, self.namespace, name)

    async def get(self, name: str) -> Manifest:
        """Return a Topic as the API server has it."""
        manifest = await self.kube.get(TOPICS, self.namespace, name)
        assert manifest is not None
        return manifest

    async def condition(self, name: str, kind: str, status: str) -> Manifest:
        """Wait until a condition judged on the newest generation has `status`, and return it."""
        seen: Manifest = {}

        async def is_so() -> bool:
            nonlocal seen
            topic = await self.get(name)
            if topic["status"]["observedGeneration"] != topic["metadata"]["generation"]:
                return False
            seen = next((one for one in topic["status"].get("conditions", []) if one["type"] == kind), {})
            return seen.get("status") == status

        await eventually(is_so, f"{kind}={status} of {name}")
        return seen

    async def ready(self, name: str) -> Manifest:
        """Wait until a Topic is Ready, and return its status."""
        await self.condition(name, "Ready", "True")
        status: Manifest = (await self.get(name))["status"]
        return status

    async def refused(self, name: str) -> Manifest:
        """Wait until a Topic waits for its user, and return its Ready condition."""
        await self.condition(name, "Stalled", "True")
        return await self.condition(name, "Ready", "False")

    async def gone(self, name: str) -> None:
        """Wait until a Topic is gone from the API server."""

        async def is_gone() -> bool:
            return await self.kube.get(TOPICS, self.namespace, name) is None

        await eventually(is_gone, f"end of {name}")

    async def event(self, name: str, reason: str) -> Manifest:
        """Wait for an Event about a Topic, and return it."""
        found: list[Manifest] = []

        async def is_there() -> bool:
            events = (await self.kube.list(EVENTS, self.namespace)).items
            found[:] = [one for one in events if one["involvedObject"]["name"] == name and one["reason"] == reason]
            return bool(found)

        await eventually(is_there, f"event {reason} about {name}")
        return found[0]

    async def versions(self) -> dict[str, str]:
        """Return each Topic's resourceVersion: what is written changes it."""
        topics = (await self.kube.list(TOPICS, self.namespace)).items
        return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in topics}

    async def idle(self) -> None:
        """Wait until the operator has nothing to do."""
        queue = self.context.topics.queue

        async def is_idle() -> bool:
            return not len(queue) and not queue._working

        await eventually(is_idle, "an operator with nothing to do")

    def _new_context(self) -> Context:
        clock, metrics = SystemClock(), Metrics()
        tools: dict[str, Any] = {"kube": self.kube, "clock": clock, "metrics": metrics, "limits": LIMITS}
        return Context(
            settings=OperatorSettings(),
            kube=self.kube,
            clock=clock,
            entropy=secrets.token_bytes,
            metrics=metrics,
            kafkas=self.kafkas,
            instances=Controller[EventStreamsInstance, InstanceStatus](
                INSTANCES, EventStreamsInstance.model_validate, **tools
            ),
            topics=Controller[Topic, TopicStatus](TOPICS, Topic.model_validate, **tools),
            service_ids=Controller[ServiceID, ServiceIDStatus](SERVICE_IDS, ServiceID.model_validate, **tools),
            owned={},
        )

    async def _watch(self, api: API, version: str, seen: Callable[[Any], None]) -> None:
        async for event in self.kube.watch(api, self.namespace, resource_version=version):
            if event.type == "BOOKMARK":
                continue
            seen({"type": event.type, "object": event.object})
            if api == INSTANCES:  # the instance room does this
                key = Key(self.namespace, event.object["metadata"]["name"])
                self.context.topics.wake_where(lambda topic, key=key: topic.instance_key == key)  # type: ignore[misc]

    def _manifest(self, kind: str, name: str, spec: Manifest) -> Manifest:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
