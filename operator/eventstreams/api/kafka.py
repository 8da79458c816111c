"""The Kafka of an instance as its spec has it: managed by the operator, or external."""

from enum import Enum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from eventstreams.api.model import Model, Resources, Rule, SecretReference, never_changes, rules

DENIED_CONFIG = (
    "listener",
    "advertised.",
    "ssl.",
    "sasl.",
    "security.",
    "authorizer.",
    "super.users",
    "process.roles",
    "node.id",
    "broker.id",
    "controller.",
    "log.dir",
    "inter.broker.",
    "early.start.listeners",
    "principal.builder",
    "auto.create.topics.enable",
    "allow.everyone.if.no.acl.found",
    "metadata.log.dir",
)
"""Prefixes of broker settings that the operator sets itself or that would undo its security."""


class StorageDeletionPolicy(Enum):
    """What happens to the volumes when the instance is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class PersistentStorage(Model):
    """A volume claim for each broker."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            never_changes("className"),
        )
    )

    size: Annotated[
        str,
        Field(
            max_length=32,
            json_schema_extra=rules(
                Rule(
                    "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
                    "size must be a quantity above zero, for example 10Gi",
                )
            ),
        ),
    ]
    """Size of each broker's volume, for example 10Gi. Grows where the storage class allows it, and is never below what
    the volumes have; a size that was refused can be set back."""
    class_name: Annotated[str | None, Field(max_length=253)] = None
    """StorageClass; absent: the cluster's default. Never changes."""
    deletion_policy: StorageDeletionPolicy = StorageDeletionPolicy.RETAIN
    """`Retain` keeps volumes and identity Secret when the instance is deleted: re-created, it finds its data."""


class EphemeralStorage(Model):
    """No volume: all records are lost whenever the pod is replaced. For trials."""


class Storage(Model):
    """Where brokers keep data: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("has(self.persistent) != has(self.ephemeral)", "set exactly one of persistent and ephemeral"),
            Rule(
                "has(self.persistent) == has(oldSelf.persistent)",
                "the kind of storage never changes: delete and re-create the resource",
            ),
        )
    )

    persistent: PersistentStorage | None = None
    """A volume claim for each broker."""
    ephemeral: EphemeralStorage | None = None
    """No volume: all records are lost whenever the pod is replaced, which new settings, an upgrade, a drained node and
    the renewal of its certificate every 60 days do. For trials."""


class ManagedKafka(Model):
    """A Kafka that the operator runs: one broker in this version."""

    storage: Storage
    """Where the broker keeps its data."""
    resources: Resources = Resources(requests={"cpu": "250m", "memory": "768Mi"}, limits={"memory": "1Gi"})
    """Compute resources of the broker."""
    config: Annotated[
        dict[
            Annotated[str, Field(max_length=255)],
            Annotated[int | str, Field(json_schema_extra={"x-kubernetes-int-or-string": True})],
        ],
        Field(
            max_length=100,
            json_schema_extra=rules(
                Rule(
                    "self.all(key, !(" + " || ".join(f"key.startsWith('{one}')" for one in DENIED_CONFIG) + "))",
                    "config must not set what the operator sets itself: listeners, TLS, SASL, authorizer, super users, "
                    "roles, node ids, log directories, topic auto-creation",
                )
            ),
        ),
    ] = Field(default_factory=dict)
    """Further broker settings, for example `log.retention.hours: 24`. Booleans and fractions in quotes."""


class ExternalTLS(Model):
    """How the brokers' certificates are verified."""

    ca_secret_ref: SecretReference | None = None
    """Secret whose `ca.crt` holds the CA certificates of the brokers; absent: the public CAs."""


class ExternalAuthentication(Model):
    """The operator's own Kafka user."""

    type: Literal["scram-sha-512", "scram-sha-256"] = "scram-sha-512"
    """SASL mechanism, over TLS."""
    secret_ref: SecretReference
    """Secret with `username` and `password`."""


class ExternalKafka(Model):
    """A Kafka that exists already, reached by SASL_SSL."""

    bootstrap_servers: Annotated[str, Field(max_length=2048, pattern=r"^[^\s,:]+:[0-9]{1,5}(,[^\s,:]+:[0-9]{1,5})*$")]
    """`host:port`, several with commas between."""
    tls: ExternalTLS = ExternalTLS()
    """How the brokers' certificates are verified."""
    authentication: ExternalAuthentication
    """The operator's own Kafka user."""
    producer_secret_ref: SecretReference | None = None
    """Secret with `username` and `password` of the REST producer's Kafka user; absent: the operator's own user."""


class Kafka(Model):
    """The Kafka of an instance: exactly one of the modes, which never changes."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("has(self.managed) != has(self.external)", "set exactly one of managed and external"),
            Rule(
                "has(self.managed) == has(oldSelf.managed)",
                "the mode of kafka never changes: delete and re-create the resource",
            ),
        )
    )

    managed: ManagedKafka | None = None
    """The operator runs Kafka."""
    external: ExternalKafka | None = None
    """The operator uses a Kafka that exists."""
