"""A cluster in memory with one instance, and the operator's room for service IDs working in it, crash by crash."""

import asyncio
import base64
from datetime import datetime, timedelta
from typing import Any, cast

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.serviceid import ServiceID
from eventstreams.api.topic import Topic
from eventstreams.core import names
from eventstreams.core.key import Key
from eventstreams.core.keyring import DATA_KEY, SHARDS, KeyGrant, load
from eventstreams.kube.apis import API, CONFIG_MAPS, INSTANCES, SECRETS, SERVICE_IDS, TOPICS, Manifest
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import Controller
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.settings import OperatorSettings
from eventstreams.serviceid.keyring import Keyrings
from eventstreams.serviceid.reconcile import ServiceIDReconciler
from unit.serviceid.memory_kube import Crash, MemoryKube
from unit.serviceid.samples import CA_PEM, NOW, Counting, instance_manifest

ES = Key("team", "es")
APP = Key("team", "app")


class DrivenClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self._now = NOW

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def move(self, step: timedelta) -> None:
        self._now += step


class World:
    """The cluster outlives the operator: `restart` is a new process with nothing in memory."""

    def __init__(self) -> None:
        self.kube = MemoryKube()
        self.clock = DrivenClock()
        self.entropy = Counting()
        self.context = self._start()
        self.kube.changed = self._heard

    def _start(self) -> Context:
        metrics = Metrics()
        kube, clock = self.kube, self.clock
        context = Context(
            settings=OperatorSettings(),
            kube=kube,
            clock=clock,
            entropy=self.entropy,
            metrics=metrics,
            kafkas=cast("Any", None),
            instances=Controller(
                INSTANCES, EventStreamsInstance.model_validate, kube=kube, clock=clock, metrics=metrics
            ),
            topics=Controller(TOPICS, Topic.model_validate, kube=kube, clock=clock, metrics=metrics),
            service_ids=Controller(SERVICE_IDS, ServiceID.model_validate, kube=kube, clock=clock, metrics=metrics),
            owned={},
        )
        self.keyrings = Keyrings(context, linger_seconds=0)
        self.reconciler = ServiceIDReconciler(context, self.keyrings)
        return context

    def restart(self) -> None:
        """Start the operator anew: memory is empty, the stores are filled from the cluster."""
        self.kube.crash_at = None
        self.context = self._start()
        for (api, _), manifest in list(self.kube.objects.items()):
            self._heard(api, "ADDED", manifest)

    def _heard(self, api: API, event: str, manifest: Manifest) -> None:
        for controller in (self.context.instances, self.context.service_ids):
            if controller.api == api:
                controller.seen({"type": event, "object": manifest})

    async def settle(self) -> None:
        """Let the operator work until nothing is due; raises Crash where one was planned."""
        queue = self.context.service_ids.queue
        try:
            for _ in range(200):
                key = queue.take()
                if key is None:
                    return
                await self.context.service_ids._work(key, self.reconciler)
                self.clock.move(timedelta(milliseconds=1))
        except* Crash:
            raise Crash from None
        raise AssertionError("the operator does not come to rest")

    async def wake_all(self) -> None:
        """Look at every service ID, as the periodic check does, and again as long as one asks to be tried again."""
        for _ in range(5):
            self.context.service_ids.wake_where(lambda _: True)
            await self.settle()

    async def create_instance(self, **status: Any) -> None:
        """Create a ready instance with its CA bundle."""
        bundle = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "team", "name": "es-ca-bundle"},
            "data": {"ca.crt": CA_PEM},
        }
        if (CONFIG_MAPS, Key("team", "es-ca-bundle")) not in self.kube.objects:
            await self.kube.create(bundle)
        await self.kube.create(instance_manifest(**status))

    async def create_service_id(self, name: str = "app", **spec: Any) -> None:
        """Create a service ID of the instance."""
        await self.kube.create(
            {
                "apiVersion": names.API_VERSION,
                "kind": "ServiceID",
                "metadata": {"namespace": "team", "name": name},
                "spec": {"instanceRef": {"name": "es"}, "role": "editor", "topics": ["orders"]} | spec,
            }
        )

    def service_id(self, key: Key = APP) -> ServiceID:
        """Return the service ID as it stands in the cluster."""
        return ServiceID.model_validate(self.kube.objects[SERVICE_IDS, key])

    def secret(self, name: str = "app-credentials") -> Manifest | None:
        """Return a Secret as it stands in the cluster."""
        return self.kube.objects.get((SECRETS, Key("team", name)))

    def key_text(self, name: str = "app-credentials") -> str:
        """Return the API key in a Secret; empty when there is none."""
        secret = self.secret(name)
        return "" if secret is None else base64.b64decode(secret["data"].get("api-key", "")).decode()

    def keyring(self) -> dict[str, KeyGrant]:
        """Return what the 16 ConfigMaps grant, by key id."""
        shards = [self.kube.objects.get((CONFIG_MAPS, Key("team", f"es-keyring-{n}"))) for n in range(SHARDS)]
        grants = [load(one["data"][DATA_KEY]).keys for one in shards if one is not None]
        return {grant.id: grant for shard in grants for grant in shard}

    def condition(self, name: str, key: Key = APP) -> tuple[str, str]:
        """Return a condition's status and reason."""
        found = {one.type: one for one in self.service_id(key).status.conditions}
        return (found[name].status, found[name].reason) if name in found else ("absent", "")


async def ready_world() -> World:
    """Return a world with an instance and a service ID that has its key."""
    world = World()
    await world.create_instance()
    await world.create_service_id()
    await world.settle()
    return world


def run(coroutine: Any) -> Any:
    """Run a coroutine to its end."""
    with asyncio.Runner() as runner:
        return runner.run(coroutine)
