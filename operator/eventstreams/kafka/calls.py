"""The admin calls as one shape: many items in, a future for each out, in their order. Nothing here blocks."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,  # noqa: TID251  # for its type: it is made in admin.py
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from eventstreams.kafka import acls
from eventstreams.kafka.batcher import when_all
from eventstreams.kafka.config import Hidden
from eventstreams.kafka.views import AclRule, TopicToCreate

Futures = Sequence["Future[Any]"]

SCRAM_ITERATIONS: Final = 4096  # the broker's minimum; passwords here are 192 random bits, so more adds nothing


@dataclass(frozen=True, slots=True)
class Password:
    """A user's new password."""

    user: str
    text: Hidden


@dataclass(frozen=True, slots=True)
class Partitions:
    """All partitions of a topic, 0 to `count` - 1."""

    topic: str
    count: int


def describe_cluster(client: AdminClient, items: Sequence[object], timeout: float) -> Futures:
    return [client.describe_cluster(request_timeout=timeout) for _ in items]


def describe_topics(client: AdminClient, names: Sequence[str], timeout: float) -> Futures:
    futures = client.describe_topics(TopicCollection(list(names)), request_timeout=timeout)
    return [futures[name] for name in names]


def describe_configs(client: AdminClient, names: Sequence[str], timeout: float) -> Futures:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures = client.describe_configs(resources, request_timeout=timeout)
    return [futures[resource] for resource in resources]


def list_offsets(client: AdminClient, items: Sequence[Partitions], timeout: float) -> Futures:
    """Ask for the end of every partition; the future of an item holds one error or None for each of its partitions."""
    wanted = {item: [TopicPartition(item.topic, number) for number in range(item.count)] for item in items}
    latest: Any = OffsetSpec.latest  # untyped
    request = {partition: latest() for partitions in wanted.values() for partition in partitions}
    futures = client.list_offsets(request, request_timeout=timeout)
    return [_errors_of([futures[partition] for partition in wanted[item]]) for item in items]


def create_topics(client: AdminClient, topics: Sequence[TopicToCreate], timeout: float) -> Futures:
    made = [NewTopic(one.name, one.partitions, one.replication_factor or -1, config=dict(one.config)) for one in topics]
    futures = client.create_topics(made, request_timeout=timeout, operation_timeout=timeout)
    return [futures[one.name] for one in topics]


def delete_topics(client: AdminClient, names: Sequence[str], timeout: float) -> Futures:
    futures = client.delete_topics(list(names), request_timeout=timeout, operation_timeout=timeout)
    return [futures[name] for name in names]


def create_acls(client: AdminClient, rules: Sequence[AclRule], timeout: float) -> Futures:
    bindings = [acls.binding(rule) for rule in rules]
    futures = client.create_acls(bindings, request_timeout=timeout)
    return [futures[binding] for binding in bindings]


def describe_acls(client: AdminClient, users: Sequence[str | None], timeout: float) -> Futures:
    return [client.describe_acls(acls.everything_of(user), request_timeout=timeout) for user in users]


def describe_scram(client: AdminClient, items: Sequence[object], timeout: float) -> Futures:
    describe: Any = client.describe_user_scram_credentials  # one future when no user is named
    return [describe(request_timeout=timeout) for _ in items]


def alter_scram(client: AdminClient, passwords: Sequence[Password], timeout: float) -> Futures:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
    wanted: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(one.user, info, one.text.reveal().encode()) for one in passwords
    ]
    futures = client.alter_user_scram_credentials(wanted, request_timeout=timeout)
    return [futures[one.user] for one in passwords]


def _errors_of(futures: Futures) -> "Future[list[BaseException | None]]":
    together: Future[list[BaseException | None]] = Future()
    when_all(futures, lambda: together.set_result([future.exception() for future in futures]))
    return together
