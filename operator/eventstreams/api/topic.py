"""The kind Topic: a Kafka topic, made as declared."""

from enum import Enum
from typing import Annotated

from pydantic import ConfigDict, Field

from eventstreams.api.model import (
    SAME_INSTANCE,
    Column,
    InstanceReference,
    Kind,
    Model,
    Resource,
    Rule,
    Status,
    never_changes,
    rules,
)
from eventstreams.core.key import Key

ConfigValue = Annotated[
    int | str,
    # printable ASCII, and as long as Kafka's client can write a text
    Field(json_schema_extra={"x-kubernetes-int-or-string": True, "maxLength": 32767, "pattern": r"^[ -~]*$"}),
]


class DeletionPolicy(Enum):
    """What happens to the Kafka topic when its resource is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class TopicSpec(Model):
    """Wanted state of one Kafka topic."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            SAME_INSTANCE,
            never_changes("name"),
            Rule("!has(self.name) || !(self.name in ['.', '..'])", "name must not be . or .."),
            Rule("!has(self.name) || !self.name.startsWith('__')", "names that begin with __ belong to Kafka itself"),
        )
    )

    instance_ref: InstanceReference
    """The instance whose Kafka holds the topic. Never changes."""
    name: Annotated[str | None, Field(min_length=1, max_length=249, pattern=r"^[a-zA-Z0-9._-]+$")] = None
    """Kafka's name of the topic; absent: the object's name. Never changes."""
    partitions: Annotated[int | None, Field(ge=1, le=100_000)] = None
    """Number of partitions. Absent: 1 at creation, then whatever the topic has. Kafka cannot take one away; adding some
    to a topic that exists is not carried out yet, and the conditions say so."""
    replication_factor: Annotated[int | None, Field(ge=1, le=32)] = None
    """Copies of each partition. Absent: the broker's default."""
    config: Annotated[dict[str, ConfigValue], Field(max_length=100)] = Field(default_factory=dict)
    """Kafka's topic configuration, for example `retention.ms: 86400000`. Booleans and fractions in quotes. A change for
    a topic that exists is not carried out yet, and the conditions say so."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    """`Retain` leaves the topic and its records in Kafka when this resource is deleted; `Delete` removes them."""


class TopicStatus(Status):
    """What the operator last saw."""

    topic_name: str | None = None
    """Kafka's name of the topic."""
    topic_id: str | None = None
    """Kafka's UUID of the topic this resource holds."""
    partitions: int | None = None
    """Number of partitions."""
    replication_factor: int | None = None
    """Copies of each partition."""


class Topic(Resource):
    """A Kafka topic, made as declared. What somebody else changes of its configuration in Kafka is not noticed yet."""

    spec: TopicSpec
    status: TopicStatus = TopicStatus()

    @property
    def instance_key(self) -> Key:
        """The instance that it names, the namespace filled in."""
        return self.spec.instance_ref.seen_from(self.metadata.namespace)

    @property
    def topic_name(self) -> str:
        """Kafka's name of the topic."""
        return self.spec.name or self.metadata.name


TOPIC = Kind(
    kind="Topic",
    plural="topics",
    short_names=("estopic",),
    spec=TopicSpec,
    status=TopicStatus,
    resource=Topic,
    columns=(
        Column("Topic", ".status.topicName"),
        Column("Partitions", ".status.partitions", "integer"),
        Column("Replicas", ".status.replicationFactor", "integer"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    root_rules=(
        Rule("has(self.spec.name) || size(self.metadata.name) <= 249", "a Kafka topic name has at most 249 characters"),
        Rule(
            "!has(self.spec.partitions) || (has(oldSelf.spec.partitions) && self.spec.partitions == "
            "oldSelf.spec.partitions) || !has(self.status) || !has(self.status.partitions) || "
            "self.spec.partitions >= self.status.partitions",
            "partitions may only grow: Kafka cannot remove any",
        ),
    ),
)
