"""The kind ServiceID: API keys in a Secret, with topic rights on the REST producer."""

from datetime import datetime
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
from eventstreams.core import names
from eventstreams.core.key import Key

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"  # RFC 1123; names of Secrets are such labels with dots between

TopicPattern = Annotated[str, Field(min_length=1, max_length=249, pattern=r"^([a-zA-Z0-9._-]+\*?|\*)$")]


class Role(Enum):
    """What a key may do with its topics."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OPERATOR = "operator"


class ReplicaLimits(Model):
    """What one replica of the REST producer takes from a ServiceID in a second. Absent: as much as it can."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.requestsPerSecond) || has(self.bytesPerSecond)",
                "set requestsPerSecond, bytesPerSecond or both",
            )
        )
    )

    requests_per_second: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    """Requests in a second; a request with many records counts once."""
    bytes_per_second: Annotated[int | None, Field(ge=1, le=1_000_000_000_000)] = None
    """Bytes of request bodies in a second."""


class ServiceIDLimits(Model):
    """How much the keys of a ServiceID may ask of the REST producer, all of them together. Above: 429."""

    per_replica: ReplicaLimits
    """For each replica by itself: with two replicas a client may get twice as much."""


class ServiceIDSpec(Model):
    """An application's identity and its rights."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            SAME_INSTANCE,
            never_changes("secretName"),
            Rule(
                "!self.topics.exists(t, t.startsWith('__'))",
                "topics that begin with __ belong to Kafka and are never granted",
            ),
        )
    )

    instance_ref: InstanceReference
    """The instance that the keys are for. Never changes."""
    role: Role
    """On the REST producer `editor` and `operator` produce, `viewer` gets 403; rights to read and manage come later."""
    topics: Annotated[tuple[TopicPattern, ...], Field(min_length=1, max_length=100)]
    """Topic names, prefixes that end in `*` (`pay-*`), or `*` for every topic of the instance."""
    secret_name: Annotated[str | None, Field(min_length=1, max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")] = None
    """Name of the Secret that receives the credentials; absent: `<name>-credentials`. Never changes."""
    limits: ServiceIDLimits | None = None
    """Rate limits of the REST producer; absent: none. They do not bind native Kafka clients."""


class KeyState(Enum):
    """Where a key stands in its life."""

    PENDING = "Pending"
    ACTIVE = "Active"
    RETIRING = "Retiring"


class KeyStatus(Model):
    """One key. The key itself is only in the Secret."""

    id: str
    """Public id: the second part of the key's text."""
    generation: int
    """1 for the first key, one more for each that follows."""
    sha256: str
    """Digest of the key, in hexadecimal."""
    created_at: datetime
    """When it was minted."""
    expires_at: datetime | None = None
    """When it stops working; absent: it does not expire."""
    state: KeyState
    """`Pending` while it is being made known, `Active`, `Retiring` during an overlap."""


class Binding(Model):
    """Makes the resource a Provisioned Service of the Service Binding specification."""

    name: str
    """Name of the Secret."""


class ServiceIDStatus(Status):
    """What the operator last did."""

    keys: Annotated[
        tuple[KeyStatus, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}),
    ] = ()
    """Every key that is not forgotten yet."""
    binding: Binding | None = None
    """The Secret with the credentials."""


class ServiceID(Resource):
    """API keys in a Secret that an application can mount, with topic rights."""

    spec: ServiceIDSpec
    status: ServiceIDStatus = ServiceIDStatus()

    @property
    def instance_key(self) -> Key:
        """The instance that it names, the namespace filled in."""
        return self.spec.instance_ref.seen_from(self.metadata.namespace)

    @property
    def secret_name(self) -> str:
        """Name of the Secret that receives the credentials."""
        return self.spec.secret_name or names.credentials(self.metadata.name)


SERVICE_ID = Kind(
    kind="ServiceID",
    plural="serviceids",
    short_names=("sid",),
    spec=ServiceIDSpec,
    status=ServiceIDStatus,
    resource=ServiceID,
    columns=(
        Column("Role", ".spec.role"),
        Column("Topics", ".spec.topics"),
        Column("Secret", ".status.binding.name"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    root_rules=(Rule("size(self.metadata.name) <= 240", "the name of a ServiceID has at most 240 characters"),),
)
