"""What Kafka shows and what it is asked for, as values without a client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, order=True)
class Broker:
    """One broker as clients see it."""

    id: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A Kafka cluster: its id and the brokers that are alive, by id."""

    cluster_id: str
    brokers: tuple[Broker, ...]


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic in Kafka's metadata.

    `topic_id` is Kafka's UUID in its own text form (22 characters of base64url). `replication_factor` is that of the
    partition with the fewest replicas. `offline` counts partitions without a leader.
    """

    name: str
    topic_id: str
    partitions: int
    replication_factor: int
    offline: int = 0


@dataclass(frozen=True, slots=True)
class TopicToCreate:
    """A topic to make. None for `replication_factor`: the broker's default. Config values as Kafka's texts."""

    name: str
    partitions: int = 1
    replication_factor: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConfigView:
    """One entry of a topic's configuration. `value` None: Kafka does not show it (sensitive)."""

    value: str | None
    is_own: bool
    """Set on the topic itself, not inherited from the broker."""


ResourceKind = Literal["topic", "group", "transactional-id", "cluster"]
Pattern = Literal["literal", "prefixed"]
Operation = Literal[
    "read", "write", "create", "delete", "alter", "describe", "describe-configs", "alter-configs", "idempotent-write"
]


@dataclass(frozen=True, slots=True, order=True)
class AclRule:
    """One right that is allowed: `user` may do `operation` on what matches. The name `*`, literal, matches all."""

    user: str
    resource: ResourceKind
    name: str
    operation: Operation
    pattern: Pattern = "literal"


@dataclass(frozen=True, slots=True)
class AdminCall:
    """One call that ended: its name, how many items it carried, how long it took; not ok: every item failed."""

    call: str
    items: int
    seconds: float
    is_ok: bool
