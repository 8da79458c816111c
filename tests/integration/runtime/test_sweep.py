"""Sweeps against a real API server: what no watch told comes to light."""

import pytest

from eventstreams.core.key import Key
from eventstreams.kube.apis import TOPICS
from eventstreams.kube.client import Kube
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.sweep import Sweep
from integration.runtime.conftest import TopicController
from integration.runtime.topics import make_topic

pytestmark = pytest.mark.integration


@pytest.fixture
def beats() -> list[str]:
    return []


@pytest.fixture
def sweep(kube: Kube, namespace: str, controller: TopicController, metrics: Metrics, beats: list[str]) -> Sweep:
    return Sweep(
        kube,
        controller,
        metrics,
        namespaces=[namespace],
        watch_beat=lambda: beats.append("watch"),
        grace_seconds=0.01,
    )


async def test_the_store_is_filled_from_a_list_and_every_object_woken(
    kube: Kube, namespace: str, controller: TopicController, sweep: Sweep
) -> None:
    for name in ("a", "b"):
        await make_topic(kube, namespace, name)

    await sweep.fill()

    assert {topic.metadata.name for topic in controller.store.values()} == {"a", "b"}
    assert len(controller.queue) == 2


async def test_a_sweep_that_finds_nothing_wakes_nobody(
    kube: Kube, namespace: str, controller: TopicController, sweep: Sweep, beats: list[str]
) -> None:
    await make_topic(kube, namespace)
    await sweep.fill()
    assert controller.queue.take() is not None

    await sweep.run()

    assert len(controller.queue) == 0
    assert beats == ["watch"]


async def test_what_a_broken_watch_did_not_tell_is_found_woken_and_counted(
    kube: Kube, namespace: str, controller: TopicController, sweep: Sweep, metrics: Metrics, beats: list[str]
) -> None:
    for name in ("ghost", "edited", "same"):
        await make_topic(kube, namespace, name)
    await sweep.fill()
    while (key := controller.queue.take()) is not None:
        controller.queue.done(key)

    await kube.delete(TOPICS, namespace, "ghost")
    await kube.patch(TOPICS, namespace, "edited", {"spec": {"partitions": 9}})
    await make_topic(kube, namespace, "unheard")
    await sweep.run()

    edited = controller.store.get(Key(namespace, "edited"))
    assert controller.store.get(Key(namespace, "ghost")) is None
    assert edited is not None
    assert edited.spec.partitions == 9
    assert {controller.queue.take() for _ in range(4)} == {
        Key(namespace, "ghost"),
        Key(namespace, "edited"),
        Key(namespace, "unheard"),
        None,
    }
    assert metrics.registry.get_sample_value("eventstreams_missed_events_total", {"kind": "Topic"}) == 3
    assert beats == []
