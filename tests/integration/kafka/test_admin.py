"""The admin layer against a real broker."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from eventstreams.core.errors import NotYetError, RefusedError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.kafka.admin import KafkaAdmin
from eventstreams.kafka.config import Hidden, KafkaConfig
from eventstreams.kafka.connections import Kafkas
from eventstreams.kafka.views import AclRule, AdminCall, TopicToCreate
from integration.waiting import eventually
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration

INSTANCE = Key("shop", "demo")
NOBODY = KafkaConfig("127.0.0.1:1")


@pytest.fixture
def calls() -> list[AdminCall]:
    return []


@pytest.fixture
async def kafkas(calls: list[AdminCall]) -> AsyncIterator[Kafkas]:
    kafkas = Kafkas(record=calls.append)
    yield kafkas
    await kafkas.close()


@pytest.fixture
def config(kafka: LocalKafka) -> KafkaConfig:
    return KafkaConfig(kafka.bootstrap_internal)


@pytest.fixture
def admin(kafkas: Kafkas, config: KafkaConfig) -> KafkaAdmin:
    return kafkas.connect(INSTANCE, config)


def sasl(kafka: LocalKafka, *, password: str | None = None, ca_pem: str | None = "given") -> KafkaConfig:
    return KafkaConfig(
        kafka.bootstrap_sasl,
        "SASL_SSL",
        "SCRAM-SHA-512",
        kafka.admin_user,
        Hidden(password or kafka.admin_password),
        ca_pem=kafka.ca_pem if ca_pem == "given" else ca_pem,
    )


def fresh(name: str = "topic") -> str:
    return f"{name}-{uuid.uuid4().hex[:12]}"


async def is_gone(admin: KafkaAdmin, topic: str) -> bool:
    return await admin.describe(topic) is None


async def usable(admin: KafkaAdmin, topic: str, partitions: int) -> None:
    await eventually(lambda: admin.is_usable(topic, partitions), f"partitions of {topic} that take records")


async def test_the_cluster_shows_its_id_and_brokers(admin: KafkaAdmin, kafka: LocalKafka) -> None:
    view = await admin.cluster()
    assert view.cluster_id == kafka.layout.cluster_id
    assert [broker.id for broker in view.brokers] == [1]


async def test_a_topic_is_made_described_and_deleted(admin: KafkaAdmin) -> None:
    name = fresh()
    await admin.create(TopicToCreate(name, 3, 1, {"retention.ms": "86400000"}))
    await usable(admin, name, 3)
    view = await admin.describe(name)
    assert view is not None
    assert (view.name, view.partitions, view.replication_factor, view.offline) == (name, 3, 1, 0)
    entries = await admin.topic_config(name)
    assert (entries["retention.ms"].value, entries["retention.ms"].is_own) == ("86400000", True)
    assert not entries["segment.ms"].is_own
    await admin.delete(name)
    await eventually(lambda: is_gone(admin, name), f"end of {name}")
    await admin.delete(name)


async def test_topic_ids_have_the_form_that_kafkas_tools_print(admin: KafkaAdmin) -> None:
    names = [fresh() for _ in range(40)]
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(admin.create(TopicToCreate(name)))
    await usable(admin, names[-1], 1)
    for name in names:
        view = await admin.describe(name)
        assert view is not None
        assert len(view.topic_id) == 22
        assert not set("+/=") & set(view.topic_id)
        await admin.delete(name)


REFUSED = [
    (TopicToCreate("x", config={"bogus": "1"}), Reason.CONFIG_REFUSED, "Unknown topic config name: bogus"),
    (TopicToCreate("x", config={"retention.ms": "long"}), Reason.CONFIG_REFUSED, "Invalid value long"),
    (TopicToCreate("x", 1, 3), Reason.REPLICATION_FACTOR_REFUSED, "replication factor of 3"),
    (TopicToCreate("x", 10_001), Reason.KAFKA_REFUSED, "Excessively large number of partitions"),
    (TopicToCreate("x", config={"retention.ms": "1\0"}), Reason.CONFIG_REFUSED, "holds a null character"),
    (TopicToCreate("x", config={"retention.ms": "1" * 70_000}), Reason.CONFIG_REFUSED, "over 32767 bytes"),
    (TopicToCreate("no spaces"), Reason.NAME_REFUSED, "one or more characters other than"),
]


@pytest.mark.parametrize(("topic", "reason", "words"), REFUSED)
async def test_what_kafka_refuses_is_refused_in_kafkas_words(
    admin: KafkaAdmin, topic: TopicToCreate, reason: Reason, words: str
) -> None:
    with pytest.raises(RefusedError, match=words) as refusal:
        await admin.create(topic)
    assert refusal.value.reason is reason
    assert await admin.describe("x") is None


async def test_names_that_collide_are_refused(admin: KafkaAdmin) -> None:
    name = fresh()
    await admin.create(TopicToCreate(f"{name}.l"))
    with pytest.raises(RefusedError, match="collides with existing topic") as refusal:
        await admin.create(TopicToCreate(f"{name}_l"))
    assert refusal.value.reason is Reason.NAME_REFUSED


async def test_who_comes_second_is_to_look_again(admin: KafkaAdmin) -> None:
    name = fresh()
    await admin.create(TopicToCreate(name))
    with pytest.raises(NotYetError) as second:
        await admin.create(TopicToCreate(name))
    assert second.value.reason is Reason.TOPIC_EXISTS


async def test_three_hundred_topics_take_a_handful_of_calls_and_a_bad_one_fails_alone(
    admin: KafkaAdmin, calls: list[AdminCall]
) -> None:
    names = [fresh("many") for _ in range(300)]
    errors: list[str] = []

    async def make(name: str, config: dict[str, str]) -> None:
        try:
            await admin.create(TopicToCreate(name, config=config))
        except RefusedError:
            errors.append(name)
        else:
            await usable(admin, name, 1)

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(make(name, {"bogus": "1"} if name == names[7] else {}))
    seen = await admin.describe_all(names)
    assert errors == [names[7]]
    assert [name for name in names if seen[name] is None] == [names[7]]
    count = Counter(call.call for call in calls)
    assert count["create_topics"] <= 3
    assert count["describe_topics"] == 1
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(admin.delete(name))
    assert Counter(call.call for call in calls)["delete_topics"] <= 3


async def test_a_topic_with_too_many_partitions_for_one_call_fails_alone(admin: KafkaAdmin) -> None:
    names = [fresh("beside") for _ in range(3)]

    async def refused() -> None:
        with pytest.raises(RefusedError, match="Excessively large number of partitions"):
            await admin.create(TopicToCreate(fresh("huge"), 10_001))

    async with asyncio.TaskGroup() as group:
        group.create_task(admin.create(TopicToCreate(names[0])))
        group.create_task(refused())
        for name in names[1:]:
            group.create_task(admin.create(TopicToCreate(name)))
    for name in names:
        await usable(admin, name, 1)


async def test_partitions_that_do_not_exist_are_not_usable(admin: KafkaAdmin) -> None:
    name = fresh()
    assert not await admin.is_usable(name, 1)
    await admin.create(TopicToCreate(name))
    await usable(admin, name, 1)
    assert not await admin.is_usable(name, 2)


async def test_users_and_rights_are_there_once_given_and_may_be_given_again(kafkas: Kafkas, kafka: LocalKafka) -> None:
    admin = kafkas.connect(INSTANCE, sasl(kafka))
    user = fresh("es")
    rules = {AclRule(user, "topic", "*", "write"), AclRule(user, "topic", "pay-", "describe", "prefixed")}
    await admin.upsert_scram(user, Hidden("secret"))
    await admin.ensure_acls(rules)
    await admin.ensure_acls(rules)

    async def is_there() -> bool:
        return await admin.acls(user) == rules and user in await admin.scram_users()

    await eventually(is_there, "user and rights")


async def test_a_wrong_password_is_told_as_such(kafkas: Kafkas, kafka: LocalKafka) -> None:
    admin = KafkaAdmin(sasl(kafka, password="wrong-password"), timeout_seconds=2)
    with pytest.raises(NotYetError, match="Authentication failed") as refusal:
        await admin.cluster()
    assert refusal.value.reason is Reason.KAFKA_NOT_AUTHORIZED
    assert "wrong-password" not in refusal.value.message


async def test_a_broker_of_an_unknown_ca_is_told_as_such(kafkas: Kafkas, kafka: LocalKafka) -> None:
    admin = KafkaAdmin(sasl(kafka, ca_pem=None), timeout_seconds=2)
    with pytest.raises(NotYetError, match="certificate verify failed") as refusal:
        await admin.cluster()
    assert refusal.value.reason is Reason.KAFKA_UNAVAILABLE


async def test_a_kafka_that_is_not_there_is_told_once_and_the_same_each_time() -> None:
    admin = KafkaAdmin(NOBODY, timeout_seconds=1)
    told = set()
    for _ in range(3):
        outcome = (await admin.describe_all(["orders"]))["orders"]
        assert isinstance(outcome, NotYetError)
        told.add((outcome.reason, outcome.message))
    [(reason, message)] = told
    assert reason is Reason.KAFKA_UNAVAILABLE
    assert message.startswith("Kafka at 127.0.0.1:1 does not answer: ")


async def test_behind_a_fence_nothing_changes_and_reads_go_on(config: KafkaConfig) -> None:
    def fence() -> None:
        raise NotYetError(Reason.API_UNAVAILABLE, "the Lease is lost")

    admin = KafkaAdmin(config, fence=fence)
    name = fresh()
    with pytest.raises(NotYetError, match="Lease"):
        await admin.create(TopicToCreate(name))
    with pytest.raises(NotYetError, match="Lease"):
        await admin.upsert_scram(name, Hidden("secret"))
    assert await admin.describe(name) is None
    assert name not in await admin.scram_users()


async def test_one_instance_has_one_connection_until_its_configuration_changes(
    kafkas: Kafkas, kafka: LocalKafka, config: KafkaConfig
) -> None:
    first = kafkas.connect(INSTANCE, config)
    assert kafkas.connect(INSTANCE, KafkaConfig(kafka.bootstrap_internal)) is first
    second = kafkas.connect(INSTANCE, sasl(kafka))
    assert second is not first
    assert kafkas.get(INSTANCE) is second
    with pytest.raises(NotYetError):
        await first.cluster()
    await kafkas.disconnect(INSTANCE)
    assert kafkas.get(INSTANCE) is None


async def test_calls_under_way_end_well_when_their_connection_is_closed(kafkas: Kafkas, config: KafkaConfig) -> None:
    admin = kafkas.connect(INSTANCE, config)
    names = [fresh() for _ in range(5)]
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(admin.create(TopicToCreate(name)))
        await asyncio.sleep(0)  # the calls wait for company, not one has left
        await kafkas.disconnect(INSTANCE)
    again = kafkas.connect(INSTANCE, config)
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(usable(again, name, 1))


async def test_a_connection_that_nobody_answers_closes_after_its_calls() -> None:
    kafkas = Kafkas(timeout_seconds=1)
    admin = kafkas.connect(INSTANCE, NOBODY)
    async with asyncio.TaskGroup() as group:
        call = group.create_task(admin.describe_all(["orders"]))
        await asyncio.sleep(0)
        await kafkas.close()
    assert isinstance(call.result()["orders"], NotYetError)
