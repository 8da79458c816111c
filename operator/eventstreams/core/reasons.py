"""Every reason that a condition or an event may carry, with cause and cure.

A reason is API: CamelCase, never renamed. docs/reference/reasons.md is generated from this list.
"""

from dataclasses import dataclass
from enum import Enum

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Explained:
    """One reason: its `name` in conditions, what it `means`, and the `cure` (empty when nothing has to be done)."""

    name: str
    means: str
    cure: str = ""


class Reason(Enum):
    """The reasons. `Reason.X.value.name` is the text in a condition."""

    # all kinds
    READY = Explained("Ready", "everything declared is in place and usable")
    RECONCILING = Explained("Reconciling", "the operator is working towards the declared state")
    INTERNAL_ERROR = Explained(
        "InternalError",
        "a bug in the operator; the traceback is in its log",
        "report it with the operator's log; the operator goes on trying",
    )
    API_CONFLICT = Explained("ApiConflict", "somebody changed the object at the same time")
    API_UNAVAILABLE = Explained(
        "ApiUnavailable", "the Kubernetes API did not answer or refused", "check the operator's log and RBAC"
    )

    # what Topic and ServiceID share
    INSTANCE_NOT_FOUND = Explained(
        "InstanceNotFound",
        "spec.instanceRef names an EventStreamsInstance that does not exist",
        "create the instance, or correct spec.instanceRef (it is immutable: delete and re-create the resource)",
    )
    INSTANCE_NOT_READY = Explained(
        "InstanceNotReady",
        "the instance exists but cannot be used yet",
        "look at the conditions of the EventStreamsInstance",
    )
    NOT_PERMITTED = Explained(
        "NotPermitted",
        "the instance does not allow this namespace to use it so",
        "create the resource in the instance's namespace",
    )
    KAFKA_UNAVAILABLE = Explained(
        "KafkaUnavailable",
        "Kafka does not answer",
        "look at the instance's KafkaAvailable condition and at the brokers' pods",
    )
    KAFKA_REFUSED = Explained(
        "KafkaRefused", "Kafka refused the request; the message quotes it", "correct the spec as the message says"
    )
    KAFKA_NOT_AUTHORIZED = Explained(
        "KafkaNotAuthorized",
        "the operator's own Kafka user lacks a right",
        "give the user of the external Kafka the rights that docs/how-to/external-kafka.md lists",
    )

    # Topic
    TOPIC_EXISTS = Explained(
        "TopicExists",
        "a topic of that name exists already and differs from the spec, so it is not taken over",
        "make the spec equal to the topic, delete the topic, or choose another spec.name",
    )
    TOPIC_CLAIMED = Explained(
        "TopicClaimed",
        "another Topic resource holds this Kafka topic",
        "delete one of the two resources; the message names the other",
    )
    NAME_REFUSED = Explained("NameRefused", "Kafka does not take the topic name", "choose another spec.name")
    PARTITIONS_CANNOT_SHRINK = Explained(
        "PartitionsCannotShrink",
        "spec.partitions is below what the topic has; Kafka cannot remove partitions",
        "set spec.partitions to at least the topic's number, or remove it from the spec",
    )
    REPLICATION_FACTOR_REFUSED = Explained(
        "ReplicationFactorRefused",
        "the instance has fewer brokers than spec.replicationFactor",
        "lower spec.replicationFactor, or leave it out for the broker's default",
    )
    REPLICATION_FACTOR_CHANGE = Explained(
        "ReplicationFactorChange",
        "spec.replicationFactor differs from the live topic; the operator does not move replicas",
        "change it back, or move the replicas with kafka-reassign-partitions.sh",
    )
    CONFIG_REFUSED = Explained(
        "ConfigRefused", "Kafka refused a configuration entry", "correct spec.config as the message says"
    )
    CHANGE_NOT_SUPPORTED = Explained(
        "ChangeNotSupported",
        "the live topic differs from the spec in a way this version does not change",
        "change the topic with Kafka's own tools, or change the spec back",
    )
    PARTITIONS_STARTING = Explained("PartitionsStarting", "the topic exists; its partitions are not usable yet")
    TOPIC_ADOPTED = Explained("TopicAdopted", "a topic of that name existed, equals the spec and was taken over")
    TOPIC_RECREATED = Explained(
        "TopicRecreated",
        "the topic was gone from Kafka with its records and was created again, empty",
        "find out who deleted it; from now on let the Topic resource alone decide",
    )
    TOPIC_DELETED = Explained("TopicDeleted", "the topic and its records were deleted, as deletionPolicy says")
    TOPIC_KEPT = Explained("TopicKept", "the resource was deleted, the topic stays in Kafka; the message says why")

    # ServiceID
    SECRET_CONFLICT = Explained(
        "SecretConflict",
        "a Secret of a name that the resource needs exists and does not belong to it; it is not touched",
        "delete or rename that Secret; a ServiceID can also be re-created with another spec.secretName",
    )
    KEY_PENDING = Explained("KeyPending", "a key is being minted; the REST producer is learning it")
    KEY_MINTED = Explained("KeyMinted", "event: a new API key is in the Secret; the message names its id")
    ACCESS_REFUSED = Explained(
        "AccessRefused", "spec names topics that are never granted", "remove names that begin with __"
    )

    # EventStreamsInstance
    KAFKA_STARTING = Explained(
        "KafkaStarting",
        "the brokers are starting",
        "wait; after some minutes look at the pod that the message names, as it says",
    )
    PRODUCER_STARTING = Explained(
        "ProducerStarting",
        "the REST producer's pods are starting",
        "wait; after some minutes look at the pods, with the command in the message",
    )
    SECRET_NOT_FOUND = Explained(
        "SecretNotFound", "a Secret that the spec names does not exist", "create the Secret that the message names"
    )
    SECRET_INVALID = Explained(
        "SecretInvalid", "a Secret that the spec names lacks a key or holds what cannot be read", "correct the Secret"
    )
    IDENTITY_LOST = Explained(
        "IdentityLost",
        "volumes of this instance exist but the Secret <instance>-identity does not; without it they are useless",
        "restore the Secret from a backup, or delete the StatefulSet, then the volume claims, to start empty",
    )
    OBJECT_CONFLICT = Explained(
        "ObjectConflict",
        "an object of a name that the instance needs exists and does not belong to it; it is not touched",
        "delete or rename that object",
    )
    OBJECT_REFUSED = Explained(
        "ObjectRefused",
        "Kubernetes refuses an object made from the spec; the message quotes it",
        "correct the spec as the message says",
    )
    HOSTNAMES_REQUIRED = Explained(
        "HostnamesRequired",
        "the endpoint's external address is that of nodes, which the operator may not read",
        "set spec.restProducer.hostnames, or let the operator read nodes",
    )
    CLUSTER_ID_CHANGED = Explained(
        "ClusterIdChanged",
        "the Kafka that answers is not the one recorded in status.kafka.clusterId",
        "point the instance at the Kafka it was made with, or re-create the instance",
    )

    @override
    def __str__(self) -> str:
        return self.value.name
