"""The admin client of one Kafka: whatever the operator asks of a broker goes through here, in batches.

Blocks nowhere: librdkafka works in its own threads, its futures wake the event loop. Secrets stay in KafkaConfig.
"""

import logging
import re
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigSource, DescribeClusterResult, TopicDescription

from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.kafka import acls, calls
from eventstreams.kafka.batcher import LIMIT, USUAL, Batcher, Bounds, when_all
from eventstreams.kafka.calls import Futures, Partitions, Password
from eventstreams.kafka.config import Hidden, KafkaConfig
from eventstreams.kafka.errors import code_of, translated
from eventstreams.kafka.views import AclRule, AdminCall, Broker, ClusterView, ConfigView, TopicToCreate, TopicView

logger = logging.getLogger(__name__)

Fence = Callable[[], None]
"""Raises when this process may no longer change anything (its Lease ran out); called before each mutating call."""

Record = Callable[[AdminCall], None]
"""Told of each admin call that ended, in a thread of the client: for metrics, which take that."""

Item = TypeVar("Item")

TIMEOUT_SECONDS: Final = 8.0
"""For one admin call, the search for a broker included. Must be below its callers' time-outs and below the Lease's
leaseDuration - renewDeadline, so that no call outlives the right to make it."""

PARTITIONS_A_CALL: Final = 10_000
"""Kafka refuses every topic of a call that makes more (ReplicationControlManager, MAX_PARTITIONS_PER_BATCH)."""

_TEXT_BYTES: Final = 32_767  # librdkafka writes a text's length in 16 bits: what is longer is read as other fields

_PROPERTIES: Final[dict[str, Any]] = {
    "client.id": "eventstreams-operator",
    "log_level": 2,  # a broker that is down would write 20 lines a second; error_cb tells us the same
    "reconnect.backoff.ms": 100,
    "reconnect.backoff.max.ms": 2000,  # a broker that is back is found within 2 s
}

_NOT_STARTED: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,  # what a broker says while the log of a new partition is being made
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,  # KIP-207: the leader is new and does not know its end yet
        KafkaError.FENCED_LEADER_EPOCH,  # KIP-320: broker and client do not know the same leader, for a moment
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  # Kafka's own name: the client's metadata is a moment behind
        KafkaError._NOENT,  # noqa: SLF001  # likewise: no partition in the whole call had a leader
    }
)


def _one_a_call(_: object) -> None:
    """Give all items the same key: a batch holds one of a key."""


def no_fence() -> None:
    """Let every call pass: for a process that needs no Lease."""


def no_record(_: AdminCall) -> None:
    """Keep no record."""


class KafkaAdmin:
    """Admin calls to one Kafka. One outcome per item: a bad one never fails its batch.

    Each method raises RefusedError for what Kafka refuses, with Kafka's words, and NotYetError for what may work
    later. A call ends within `timeout_seconds` of leaving; the batch before it comes on top. Reads may lag writes by
    some tens of milliseconds: Kafka answers when the metadata log has the change, before every broker applied it.
    Made by `Kafkas` alone; belongs to one event loop.
    """

    def __init__(
        self,
        config: KafkaConfig,
        *,
        fence: Fence = no_fence,
        timeout_seconds: float = TIMEOUT_SECONDS,
        record: Record = no_record,
    ) -> None:
        self.config = config
        self._fence = fence
        self._timeout_seconds = timeout_seconds
        self._record = record
        self._trouble: KafkaError | None = None
        self._closing = False
        self._client: AdminClient | None = AdminClient(
            _PROPERTIES | dict(config.properties()) | {"error_cb": self._troubled}, logger=logger
        )
        self._lanes: list[Batcher[Any, Any]] = []
        self._cluster = self._lane(calls.describe_cluster, key=_one_a_call)
        self._describe = self._lane(calls.describe_topics, key=str)
        self._configs = self._lane(calls.describe_configs, key=str)
        self._offsets = self._lane(calls.list_offsets, key=lambda item: item.topic)
        self._create = self._lane(
            calls.create_topics,
            key=lambda topic: topic.name,
            mutates=True,
            bounds=Bounds(weight=lambda topic: topic.partitions, capacity=PARTITIONS_A_CALL),
        )
        self._delete = self._lane(calls.delete_topics, key=str, mutates=True)
        self._acls = self._lane(calls.describe_acls, key=_one_a_call)
        self._create_acls = self._lane(calls.create_acls, key=lambda rule: rule, mutates=True)
        self._scram_users = self._lane(calls.describe_scram, key=_one_a_call)
        self._scram = self._lane(calls.alter_scram, key=lambda password: password.user, mutates=True)

    async def cluster(self) -> ClusterView:
        """Return the cluster's id and its live brokers."""
        with self._asking("cluster"):
            seen: DescribeClusterResult = await self._cluster.call(None)
        brokers = sorted(Broker(node.id, node.host, node.port) for node in seen.nodes)
        return ClusterView(cluster_id=seen.cluster_id or "", brokers=tuple(brokers))

    async def describe(self, topic: str) -> TopicView | None:
        """Return the topic as Kafka's metadata has it, None when there is none of that name."""
        outcome = (await self.describe_all([topic]))[topic]
        if isinstance(outcome, EventStreamsError):
            raise outcome
        return outcome

    async def describe_all(self, topics: Collection[str]) -> Mapping[str, TopicView | EventStreamsError | None]:
        """Return what `describe` would return or raise for each topic; other callers' describes come in between."""
        seen: dict[str, TopicView | EventStreamsError | None] = {}
        names = sorted(set(topics))
        for start in range(0, len(names), LIMIT):
            chunk = names[start : start + LIMIT]
            seen |= zip(chunk, map(self._viewed, chunk, await self._describe.outcomes(chunk)), strict=True)
        return seen

    async def topic_config(self, topic: str) -> Mapping[str, ConfigView]:
        """Return every entry of a topic's configuration. The dearest read: 0.4 ms of CPU, ask only when in doubt."""
        with self._asking(f"topic {topic}"):
            entries: Mapping[str, ConfigEntry] = await self._configs.call(topic)
        own: object = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {name: ConfigView(entry.value, is_own=entry.source == own) for name, entry in entries.items()}

    async def is_usable(self, topic: str, partitions: int) -> bool:
        """Tell whether every partition takes records: Kafka's answer to a create comes seconds before that."""
        with self._asking(f"topic {topic}"):
            errors = [one for one in await self._offsets.call(Partitions(topic, partitions)) if one is not None]
            worse = [error for error in errors if code_of(error) not in _NOT_STARTED]
            if worse:
                raise worse[0]
        return not errors

    async def create(self, topic: TopicToCreate) -> None:
        """Make a topic. When somebody was faster: NotYetError(TOPIC_EXISTS), so look again."""
        _refuse_unsendable(topic)
        with self._asking(f"topic {topic.name}"):
            await self._create.call(topic)

    async def delete(self, topic: str) -> None:
        """Delete a topic by name, with all its records; one that is gone already is a success."""
        with self._asking(f"topic {topic}", gone=KafkaError.UNKNOWN_TOPIC_OR_PART):
            await self._delete.call(topic)

    async def acls(self, user: str | None = None) -> frozenset[AclRule]:
        """Return the rights of a user, of every user when None; rules in forms we never write are left out."""
        with self._asking("ACLs"):
            bindings = await self._acls.call(user)
        return frozenset(rule for rule in map(acls.rule, bindings) if rule is not None)

    async def ensure_acls(self, rules: Collection[AclRule]) -> None:
        """Add rights; those that exist are left as they are."""
        with self._asking("ACLs"):
            for outcome in await self._create_acls.outcomes(sorted(set(rules))):
                if isinstance(outcome, BaseException):
                    raise outcome

    async def scram_users(self) -> frozenset[str]:
        """Return the names of all users that have a SCRAM-SHA-512 credential."""
        with self._asking("users"):
            users = await self._scram_users.call(None)
        return frozenset(users)

    async def upsert_scram(self, user: str, password: Hidden) -> None:
        """Set a user's password for SCRAM-SHA-512. Costs 12 ms of CPU: call it on a change only."""
        with self._asking(f"user {user}"):
            await self._scram.call(Password(user, password))

    def retire(self, pool: Executor) -> "Future[None]":
        """Take no more calls, finish those under way, then drop the connection in `pool`; return when that is done.

        A client that is dropped with futures open fails them with _DESTROY: hence the wait, at most the time-outs of
        the batches that are still due.
        """
        dropped: Future[None] = Future()
        if self._closing:
            raise RuntimeError("retired twice")
        self._closing = True
        busy = len(self._lanes)

        def one_idle() -> None:
            nonlocal busy
            busy -= 1
            if busy == 0:
                clients, self._client = [self._client], None
                pool.submit(_drop, clients, dropped)

        for lane in self._lanes:
            lane.when_idle(one_idle)
        return dropped

    def _lane(
        self,
        call: Callable[[AdminClient, Sequence[Item], float], Futures],
        *,
        key: Callable[[Any], Hashable],
        mutates: bool = False,
        bounds: Bounds = USUAL,
    ) -> Batcher[Item, Any]:
        """Return the batcher of one operation; `key` constant means one item a call."""

        def start(items: Sequence[Item]) -> Futures:
            if self._client is None:
                raise NotYetError(Reason.KAFKA_UNAVAILABLE, "the connection to Kafka is being renewed")
            if mutates:
                self._fence()
            self._client.poll(0)  # serves error_cb: nobody else does
            self._trouble = None
            started = time.monotonic()
            futures = call(self._client, items, self._timeout_seconds)
            when_all(futures, lambda: self._recorded(call.__name__, started, futures))
            return futures

        lane = Batcher(start, key, bounds=bounds)
        self._lanes.append(lane)
        return lane

    def _recorded(self, call: str, started: float, futures: Futures) -> None:
        is_ok = any(future.exception() is None for future in futures)
        self._record(AdminCall(call, len(futures), time.monotonic() - started, is_ok=is_ok))

    @contextmanager
    def _asking(self, subject: str, *, gone: int | None = None) -> Iterator[None]:
        """Turn Kafka's errors into ours; the code `gone` is no error."""
        if self._closing:
            raise NotYetError(Reason.KAFKA_UNAVAILABLE, "the connection to Kafka is being renewed")
        try:
            yield
        except KafkaException as error:
            if code_of(error) != gone:
                raise self._translated(error, subject) from error

    def _viewed(self, topic: str, outcome: TopicDescription | BaseException) -> TopicView | EventStreamsError | None:
        if not isinstance(outcome, BaseException):
            return _view(outcome)
        if code_of(outcome) == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        return outcome if isinstance(outcome, EventStreamsError) else self._translated(outcome, f"topic {topic}")

    def _translated(self, error: BaseException, subject: str) -> EventStreamsError:
        """Return our error; when nobody answered, say why: that comes by error_cb, not with the call."""
        ours = translated(error, subject)
        if ours.reason is not Reason.KAFKA_UNAVAILABLE:
            return ours
        if self._client is not None:
            self._client.poll(0)
        if self._trouble is None:
            return ours
        reason = Reason.KAFKA_UNAVAILABLE
        if self._trouble.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):  # noqa: SLF001
            reason = Reason.KAFKA_NOT_AUTHORIZED
        return NotYetError(
            reason, f"Kafka at {self.config.bootstrap_servers} does not answer: {_stable(self._trouble)}"
        )

    def _troubled(self, error: KafkaError) -> None:
        """Keep the latest error of the connection (error_cb); that all brokers are down says nothing new."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self._trouble = error


def _refuse_unsendable(topic: TopicToCreate) -> None:
    """Raise RefusedError for a configuration that would not arrive as it is, and break the call it is part of."""
    for key, value in topic.config.items():
        if any("\0" in text or len(text.encode()) > _TEXT_BYTES for text in (key, value)):
            raise RefusedError(
                Reason.CONFIG_REFUSED,
                f"topic {topic.name}: entry {key[:60]!r} holds a null character or over {_TEXT_BYTES} bytes",
            )


def _view(seen: TopicDescription) -> TopicView:
    return TopicView(
        name=seen.name,
        topic_id=str(seen.topic_id).replace("+", "-").replace("/", "_"),  # Kafka's tools print the URL-safe form
        partitions=len(seen.partitions),
        replication_factor=min((len(one.replicas) for one in seen.partitions), default=0),
        offline=sum(one.leader is None for one in seen.partitions),
    )


def _stable(trouble: KafkaError) -> str:
    """Return the error's text without what differs from try to try: a condition would be written each time."""
    return re.sub(r" \((after \d+|\d+ identical).*$", "", trouble.str() or trouble.name()).rstrip(". ")


def _drop(clients: list[AdminClient | None], dropped: "Future[None]") -> None:
    """Let go of the last reference: that joins librdkafka's threads, which may wait for a name server."""
    clients.clear()
    dropped.set_result(None)
