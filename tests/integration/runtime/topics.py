"""Topics on the API server, and a reconciler that does what a test says."""

from collections.abc import Awaitable, Callable
from typing import Any

from eventstreams.api import conditions
from eventstreams.api.topic import Topic, TopicStatus
from eventstreams.core.key import Key
from eventstreams.kube.apis import TOPICS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.runtime.controller import Outcome

Step = Callable[[Topic], Awaitable[Outcome[TopicStatus] | None]]


async def make_topic(kube: Kube, namespace: str, name: str = "orders", **spec: Any) -> Manifest:
    return await kube.create(
        {
            "apiVersion": TOPICS.api_version,
            "kind": TOPICS.kind,
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"instanceRef": {"name": "demo"}, **spec},
        }
    )


async def read_topic(kube: Kube, namespace: str, name: str = "orders") -> Topic:
    manifest = await kube.get(TOPICS, namespace, name)
    assert manifest is not None
    return Topic.model_validate(manifest)


def ready_condition(topic: Topic) -> tuple[str, str, str]:
    """Return status, reason and message of Ready."""
    found = next(one for one in topic.status.conditions if one.type == conditions.READY)
    return found.status, found.reason, found.message


class Scripted:
    """A reconciler that runs one function, and remembers for which states; it wants to know of what is gone."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.seen: list[Topic] = []
        self.forgotten: list[Key] = []

    async def reconcile(self, resource: Topic) -> Outcome[TopicStatus] | None:
        self.seen.append(resource)
        return await self.step(resource)

    async def gone(self, key: Key) -> None:
        self.forgotten.append(key)


async def succeed(topic: Topic) -> Outcome[TopicStatus]:
    """Find three partitions, and all well."""
    return Outcome(topic.status.model_copy(update={"partitions": 3}), conditions.ready())
