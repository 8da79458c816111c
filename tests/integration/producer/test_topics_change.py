"""Topics deleted, made anew and grown while records arrive: honest answers, nothing lost, new partitions in use."""

import secrets

import pytest

from eventstreams.core.apikey import ApiKey
from integration.producer.load import OUTAGE, Load
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import delete_topic, grow_topic, make_topic, records
from integration.waiting import eventually
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration

SECONDS = 5.0  # the request timeout of `producer`


@pytest.mark.parametrize("partitions", [3, 1])
async def test_a_topic_deleted_and_made_anew_under_load_takes_records_again_and_none_is_answered_wrongly(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey, topic: str, partitions: int
) -> None:
    async with Load(producer, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        delete_topic(kafka, topic)
        await load.meets(404, times=100)  # of every client: nothing is on its way to the old topic any more
        before = load.bodies(200)
        make_topic(kafka, topic, partitions)
        await load.goes_on()

    for body in before:
        del load.answers[body]  # gone with the topic that held them
    load.check(kafka, allowed=OUTAGE | {404})


async def test_a_topic_that_grows_under_load_has_records_in_its_new_partitions_within_seconds(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", partitions=1)

    async def spread() -> bool:
        reply = await producer.produce(topic, secrets.token_bytes(8).hex().encode(), key)
        return reply.status == 200 and reply.body["metadata"]["partition"] > 0

    async with Load(producer, topic, key, seconds=SECONDS) as load:
        await load.goes_on()
        grow_topic(kafka, topic, 6)
        await eventually(spread, "a record in a new partition", seconds=5)

    load.check(kafka, allowed={200})
    assert {record.partition() for record in records(kafka, topic)} > {0}


async def test_a_new_partition_can_be_named_within_seconds(
    producer: ProducerProcess, kafka: LocalKafka, key: ApiKey
) -> None:
    topic = make_topic(kafka, f"free-{secrets.token_hex(4)}", partitions=1)
    assert (await producer.produce(topic, b"x", key, query="partition=0")).status == 200
    grow_topic(kafka, topic, 2)
    seen: set[int] = set()

    async def taken() -> bool:
        seen.add((await producer.produce(topic, b"x", key, query="partition=1")).status)
        return 200 in seen

    await eventually(taken, "200 for the new partition", seconds=5)
    assert seen <= {200, 400, 503}
