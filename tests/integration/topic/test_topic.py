"""Topics kept as declared, on a real API server and a real Kafka."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from eventstreams.api.topic import Topic
from eventstreams.core.key import Key
from eventstreams.core.names import FINALIZER
from eventstreams.kafka.views import TopicToCreate
from eventstreams.kube.apis import INSTANCES
from eventstreams.kube.client import Kube
from eventstreams.topic.sweep import sweep
from integration.topic.rig import Rig
from integration.waiting import eventually
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(kube: Kube, namespace: str, kafka: LocalKafka) -> AsyncIterator[Rig]:
    rig = Rig(kube, namespace, kafka.bootstrap_internal, kafka.layout.cluster_id)
    await rig.instance()
    yield rig
    await rig.kafkas.close()


@pytest.fixture
async def operating(rig: Rig) -> AsyncIterator[None]:
    async with rig.operating():
        yield


@pytest.fixture
def name() -> str:
    """A name that no other test uses: all share one Kafka."""
    return f"orders-{uuid.uuid4().hex[:10]}"


async def kafka_has(rig: Rig, name: str) -> bool:
    return await rig.admin.describe(name) is not None


async def made_by_somebody(rig: Rig, topic: TopicToCreate) -> str:
    """Make a topic without the operator and return its id."""
    await rig.admin.create(topic)
    await eventually(lambda: rig.admin.is_usable(topic.name, topic.partitions), "partitions that take records")
    view = await rig.admin.describe(topic.name)
    assert view is not None
    return view.topic_id


async def test_a_topic_is_made_with_its_configuration_and_takes_records_when_ready(
    rig: Rig, operating: None, name: str
) -> None:
    await rig.topic(name, partitions=3, replicationFactor=1, config={"retention.ms": 86400000})
    status = await rig.ready(name)
    view = await rig.admin.describe(name)
    assert view is not None
    assert status["topicId"] == view.topic_id
    assert (status["topicName"], status["partitions"], status["replicationFactor"]) == (name, 3, 1)
    assert (await rig.admin.topic_config(name))["retention.ms"].value == "86400000"
    assert await rig.admin.is_usable(name, 3)
    states = {one["type"]: one["status"] for one in status["conditions"]}
    assert states == {
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
        "Synced": "True",
        "Conflict": "False",
    }


async def test_an_unknown_configuration_key_is_refused_in_kafkas_words_until_it_is_removed(
    rig: Rig, operating: None, name: str
) -> None:
    await rig.topic(name, config={"retention.msec": 1})
    ready = await rig.refused(name)
    assert ready["reason"] == "ConfigRefused"
    assert "Unknown topic config name: retention.msec" in ready["message"]
    assert not await kafka_has(rig, name)
    await rig.change(name, config=None)
    await rig.ready(name)


async def test_more_replicas_than_brokers_are_refused_with_a_cure(rig: Rig, operating: None, name: str) -> None:
    await rig.topic(name, replicationFactor=3)
    ready = await rig.refused(name)
    assert ready["reason"] == "ReplicationFactorRefused"
    assert "lower spec.replicationFactor" in ready["message"]


async def test_a_name_that_collides_with_another_topics_is_refused(rig: Rig, operating: None, name: str) -> None:
    await rig.topic(f"{name}.l")
    await rig.ready(f"{name}.l")
    await rig.topic(f"{name}-l", name=f"{name}_l")
    ready = await rig.refused(f"{name}-l")
    assert ready["reason"] == "NameRefused"
    assert "collides" in ready["message"]


async def test_an_equal_topic_that_exists_is_adopted_with_an_event(rig: Rig, operating: None, name: str) -> None:
    topic_id = await made_by_somebody(rig, TopicToCreate(name, 2, config={"retention.ms": "5000"}))
    await rig.topic(name, partitions=2, config={"retention.ms": 5000})
    assert (await rig.ready(name))["topicId"] == topic_id
    assert "adopted" in (await rig.event(name, "TopicAdopted"))["message"]


async def test_a_different_topic_that_exists_is_refused_and_its_owners_deletion_never_touches_it(
    rig: Rig, operating: None, name: str
) -> None:
    topic_id = await made_by_somebody(rig, TopicToCreate(name, 2))
    await rig.topic(name, partitions=3, deletionPolicy="Delete")
    ready = await rig.refused(name)
    assert ready["reason"] == "TopicExists"
    assert "has 2 partitions, spec asks for 3" in ready["message"]
    await rig.condition(name, "Conflict", "True")
    await rig.delete(name)
    await rig.gone(name)
    assert "never held it" in (await rig.event(name, "TopicKept"))["message"]
    view = await rig.admin.describe(name)
    assert view is not None
    assert view.topic_id == topic_id


async def test_of_two_claimants_one_holds_the_topic_and_the_others_deletion_keeps_it(
    rig: Rig, operating: None, name: str
) -> None:
    await rig.instance("second")
    await rig.topic(name, deletionPolicy="Delete")
    await rig.ready(name)
    await rig.topic("rival", instance="second", name=name, deletionPolicy="Delete")
    ready = await rig.refused("rival")
    assert ready["reason"] == "TopicClaimed"
    assert f"{rig.namespace}/{name}" in ready["message"]
    await rig.condition("rival", "Conflict", "True")
    await rig.delete("rival")
    await rig.gone("rival")
    assert await kafka_has(rig, name)
    await rig.ready(name)


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
async def test_when_the_holder_goes_the_next_claimant_gets_the_topic_with_its_records(
    rig: Rig, operating: None, name: str, policy: str
) -> None:
    await rig.topic(name, deletionPolicy=policy)
    topic_id = (await rig.ready(name))["topicId"]
    await rig.topic("heir", name=name)
    await rig.refused("heir")
    await rig.delete(name)
    await rig.gone(name)
    assert (await rig.ready("heir"))["topicId"] == topic_id
    await rig.condition("heir", "Conflict", "False")


@pytest.mark.parametrize(("policy", "stays"), [("Retain", True), ("Delete", False)])
async def test_the_deletion_policy_decides_what_becomes_of_the_topic(
    rig: Rig, operating: None, name: str, policy: str, *, stays: bool
) -> None:
    await rig.topic(name, deletionPolicy=policy)
    await rig.ready(name)
    assert (FINALIZER in (await rig.get(name))["metadata"].get("finalizers", [])) is not stays
    await rig.delete(name)
    await rig.gone(name)
    assert await kafka_has(rig, name) is stays


async def test_a_policy_that_becomes_retain_takes_the_finalizer_off(rig: Rig, operating: None, name: str) -> None:
    await rig.topic(name, deletionPolicy="Delete")
    await rig.ready(name)
    await rig.change(name, deletionPolicy="Retain")

    async def is_free() -> bool:
        return "finalizers" not in (await rig.get(name))["metadata"]

    await eventually(is_free, "end of the finalizer")
    await rig.ready(name)


async def test_a_topic_made_anew_by_somebody_is_not_deleted_with_the_resource(
    rig: Rig, operating: None, name: str
) -> None:
    await rig.topic(name, deletionPolicy="Delete")
    await rig.ready(name)
    await rig.admin.delete(name)
    await eventually(lambda: _is_away(rig, name), "end of the topic in Kafka")
    await made_by_somebody(rig, TopicToCreate(name, 7))
    await rig.delete(name)
    await rig.gone(name)
    assert await kafka_has(rig, name)


async def test_a_deletion_waits_for_kafka_and_says_so(rig: Rig, operating: None, name: str) -> None:
    await rig.topic(name, deletionPolicy="Delete")
    await rig.ready(name)
    await rig.instance(available=False)
    await rig.delete(name)
    ready = await rig.condition(name, "Ready", "False")
    assert ready["reason"] == "KafkaUnavailable"
    assert "next attempt" in ready["message"]
    await rig.instance(available=True)
    await rig.gone(name)
    assert not await kafka_has(rig, name)


async def test_a_policy_that_becomes_delete_while_kafka_is_away_holds_from_then_on(
    rig: Rig, operating: None, name: str
) -> None:
    await rig.topic(name)
    await rig.ready(name)
    await rig.instance(available=False)
    await rig.change(name, deletionPolicy="Delete")
    assert (await rig.condition(name, "Ready", "False"))["reason"] == "KafkaUnavailable"
    await rig.delete(name)
    await rig.instance(available=True)
    await rig.gone(name)
    assert not await kafka_has(rig, name)


async def test_an_instance_that_is_gone_lets_its_topics_go(rig: Rig, operating: None, name: str) -> None:
    await rig.topic(name, deletionPolicy="Delete")
    await rig.ready(name)
    await rig.kube.delete(INSTANCES, rig.namespace, "demo")
    assert (await rig.condition(name, "Ready", "False"))["reason"] == "InstanceNotFound"
    await rig.delete(name)
    await rig.gone(name)
    assert await kafka_has(rig, name)
    assert "not reached without the instance" in (await rig.event(name, "TopicKept"))["message"]


async def test_an_instance_that_cannot_be_read_is_told_apart_from_none(rig: Rig, operating: None, name: str) -> None:
    await rig.topic(name)
    await rig.ready(name)
    instance = await rig.kube.get(INSTANCES, rig.namespace, "demo")
    assert instance is not None
    newer = {**instance["metadata"], "resourceVersion": str(int(instance["metadata"]["resourceVersion"]) + 1)}
    rig.context.instances.seen({"type": "MODIFIED", "object": {**instance, "metadata": newer, "spec": {"new": 1}}})
    rig.context.topics.wake(Key(rig.namespace, name))
    ready = await rig.condition(name, "Ready", "False")
    assert ready["reason"] == "InstanceNotReady"
    assert "cannot be read" in ready["message"]


async def test_a_topic_waits_for_its_instance_and_becomes_ready_with_it(rig: Rig, operating: None, name: str) -> None:
    await rig.topic(name, instance="later")
    ready = await rig.condition(name, "Ready", "False")
    assert ready["reason"] == "InstanceNotFound"
    assert "next attempt" in ready["message"]
    await rig.condition(name, "Reconciling", "True")
    await rig.instance("later")
    await rig.ready(name)


async def test_an_instance_of_another_namespace_is_refused(rig: Rig, operating: None, name: str) -> None:
    await rig.kube.create(rig._manifest("Topic", name, {"instanceRef": {"name": "demo", "namespace": "default"}}))
    assert (await rig.refused(name))["reason"] == "NotPermitted"


async def test_a_change_of_a_live_topic_is_refused_with_what_to_do_until_kafka_has_it(
    rig: Rig, operating: None, name: str
) -> None:
    await rig.topic(name, config={"retention.ms": 1000})
    await rig.ready(name)
    await rig.change(name, partitions=3)
    ready = await rig.refused(name)
    assert ready["reason"] == "ChangeNotSupported"
    assert "has 1 partition, spec asks for 3" in ready["message"]
    await rig.condition(name, "Synced", "False")
    await rig.change(name, partitions=None, config={"retention.ms": 2000})
    assert "retention.ms=1000, spec asks for 2000" in (await rig.refused(name))["message"]
    await rig.change(name, config={"retention.ms": 1000})
    await rig.ready(name)


async def test_three_hundred_topics_become_ready_in_one_go(rig: Rig, name: str) -> None:
    names = [f"{name}-{number}" for number in range(300)]
    for one in names:
        await rig.topic(one, config={"retention.ms": 1000})
    refusals: list[str] = []

    def changed(key: Key, before: Topic | None, after: Topic | None) -> None:
        conditions = after.status.conditions if after is not None else ()
        refusals.extend(one.message for one in conditions if one.type == "Ready" and one.status != "True")

    async with rig.operating() as context:
        context.topics.store.subscribe(changed)
        for one in names:
            await rig.ready(one)
    calls = Counter(call.call for call in rig.calls)
    assert refusals == []
    assert calls["create_topics"] <= 5
    assert calls.total() <= 60
    assert rig.context.metrics.status_writes.labels("Topic")._value.get() == 300


async def test_a_restart_and_a_sweep_of_what_is_as_it_should_be_write_nothing(rig: Rig, name: str) -> None:
    async with rig.operating():
        await rig.topic(name, config={"retention.ms": 1000})
        await rig.topic(f"{name}-bad", config={"bogus": 1})
        await rig.ready(name)
        await rig.topic("rival", name=name)
        await rig.refused(f"{name}-bad")
        await rig.refused("rival")
        await rig.idle()
        before = await rig.versions()
    async with rig.operating() as context:
        await rig.idle()
        await sweep(context)
        await rig.idle()
    assert await rig.versions() == before


async def test_a_sweep_finds_a_topic_that_vanished_and_makes_it_again_with_a_warning(
    rig: Rig, operating: None, name: str
) -> None:
    await rig.topic(name)
    topic_id = (await rig.ready(name))["topicId"]
    await rig.admin.delete(name)
    await eventually(lambda: _is_away(rig, name), "end of the topic in Kafka")
    await sweep(rig.context)
    event = await rig.event(name, "TopicRecreated")
    assert event["type"] == "Warning"
    await rig.idle()
    assert (await rig.ready(name))["topicId"] != topic_id


async def test_a_kafka_that_goes_away_is_told_and_its_return_heals(
    rig: Rig, operating: None, kafka: LocalKafka, name: str
) -> None:
    await rig.topic(name)
    await rig.ready(name)
    kafka.stop_node(1)
    try:
        await rig.change(name, deletionPolicy="Delete")
        ready = await rig.condition(name, "Ready", "False")
    finally:
        kafka.start_node(1)
    assert ready["reason"] == "KafkaUnavailable"
    assert "next attempt" in ready["message"]
    await rig.ready(name)


async def test_a_kafka_known_to_be_away_is_not_asked(rig: Rig, operating: None, name: str) -> None:
    await rig.topic(name)
    await rig.ready(name)
    await rig.instance(available=False)
    await rig.condition(name, "Ready", "False")
    rig.calls.clear()
    await rig.change(name, deletionPolicy="Delete")
    assert (await rig.condition(name, "Ready", "False"))["reason"] == "KafkaUnavailable"
    assert not rig.calls
    await rig.instance(available=True)
    await rig.ready(name)


async def _is_away(rig: Rig, name: str) -> bool:
    return not await kafka_has(rig, name)
