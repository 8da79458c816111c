"""What each CEL rule accepts and refuses: at least one row of both per rule, counted by tests/unit/api/test_rules.py.

A row names its rule by the rule's message. A row with `old` is an update of an object that was accepted before.
"""

from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from eventstreams.core.names import API_VERSION

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One manifest and the API server's verdict. `seen` is the status that the operator wrote before an update."""

    rule: str
    what: str
    new: Manifest
    old: Manifest | None
    seen: Manifest | None
    refused: bool

    @override
    def __str__(self) -> str:
        return f"{self.new['kind']}: {self.what}"


def accept(rule: str, what: str, new: Manifest, old: Manifest | None = None, seen: Manifest | None = None) -> Case:
    """Row whose manifest the API server takes."""
    return Case(rule, what, new, old, seen, refused=False)


def reject(rule: str, what: str, new: Manifest, old: Manifest | None = None, seen: Manifest | None = None) -> Case:
    """Row whose manifest the API server refuses with the rule's message."""
    return Case(rule, what, new, old, seen, refused=True)


def instance(name: str = "one", /, **spec: object) -> Manifest:
    """Return an EventStreamsInstance, of the smallest kind unless `spec` says more."""
    return _resource("EventStreamsInstance", name, {"kafka": managed()} | spec)


def topic(name: str = "one", /, **spec: object) -> Manifest:
    """Return a Topic of the instance `one`."""
    return _resource("Topic", name, {"instanceRef": {"name": "one"}} | spec)


def service_id(name: str = "one", /, **spec: object) -> Manifest:
    """Return a ServiceID of the instance `one`."""
    return _resource("ServiceID", name, {"instanceRef": {"name": "one"}, "role": "editor", "topics": ["orders"]} | spec)


def managed(storage: Manifest | None = None, **more: object) -> Manifest:
    """Return spec.kafka of a managed Kafka without volume, unless `storage` says otherwise."""
    return {"managed": {"storage": {"ephemeral": {}} if storage is None else storage} | more}


def persistent(size: str = "10Gi", **more: object) -> Manifest:
    """Return spec.kafka of a managed Kafka with a volume."""
    return managed({"persistent": {"size": size} | more})


def external() -> Manifest:
    """Return spec.kafka of a Kafka that exists."""
    return {"external": {"bootstrapServers": "kafka:9093", "authentication": {"secretRef": {"name": "admin"}}}}


def _resource(kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


_NEVER: Final = "never changes: delete and re-create the resource"
_NAME_OF_INSTANCE: Final = (
    "the name of an instance has at most 40 characters: lower-case letters, digits and -, a letter first"
)
_ONE_MODE: Final = "set exactly one of managed and external"
_MODE: Final = f"the mode of kafka {_NEVER}"
_ONE_STORAGE: Final = "set exactly one of persistent and ephemeral"
_STORAGE: Final = f"the kind of storage {_NEVER}"
_CLASS_NAME: Final = f"className {_NEVER}"
_GROWS: Final = "storage size may only grow: no volume can shrink"
_SIZE: Final = "size must be a quantity above zero, for example 10Gi"
_CONFIG: Final = (
    "config must not set what the operator sets itself: listeners, TLS, SASL, authorizer, super users, "
    "roles, node ids, log directories, topic auto-creation"
)
_NODE_PORT: Final = "nodePort needs type NodePort: set it or remove nodePort"
_IPV6: Final = "with colons it must be an IPv6 address"
_INSTANCE_REF: Final = f"instanceRef {_NEVER}"
_TOPIC_NAME: Final = f"name {_NEVER}"
_DOTS: Final = "name must not be . or .."
_RESERVED: Final = "names that begin with __ belong to Kafka itself"
_LONG_TOPIC: Final = "a Kafka topic name has at most 249 characters"
_PARTITIONS: Final = "partitions may only grow: Kafka cannot remove any"
_LONG_SERVICE_ID: Final = "the name of a ServiceID has at most 240 characters"
_SECRET_NAME: Final = f"secretName {_NEVER}"
_SOME_LIMIT: Final = "set requestsPerSecond, bytesPerSecond or both"
_NEVER_GRANTED: Final = "topics that begin with __ belong to Kafka and are never granted"


def _service(**service: object) -> Manifest:
    return instance(restProducer={"service": service})


def _volumes_of(size: str) -> Manifest:
    return {"kafka": {"mode": "managed", "storageSize": size}}


INSTANCE_CASES: Final = (
    accept(_NAME_OF_INSTANCE, "a name of 40 characters", instance("a" * 40)),
    reject(_NAME_OF_INSTANCE, "a name of 41 characters", instance("a" * 41)),
    reject(_NAME_OF_INSTANCE, "a name that begins with a digit", instance("1st")),
    reject(_NAME_OF_INSTANCE, "a name with a dot", instance("my.instance")),
    accept(_ONE_MODE, "an external Kafka", instance(kafka=external())),
    reject(_ONE_MODE, "no Kafka at all", instance(kafka={})),
    reject(_ONE_MODE, "a managed and an external Kafka", instance(kafka=managed() | external())),
    accept(_MODE, "the mode stays", instance(restProducer={"replicas": 1}), old=instance()),
    reject(_MODE, "managed becomes external", instance(kafka=external()), old=instance()),
    reject(_MODE, "external becomes managed", instance(), old=instance(kafka=external())),
    accept(_ONE_STORAGE, "a volume", instance(kafka=persistent())),
    reject(_ONE_STORAGE, "no storage at all", instance(kafka=managed({}))),
    reject(
        _ONE_STORAGE,
        "a volume and none",
        instance(kafka=managed({"ephemeral": {}, "persistent": {"size": "1Gi"}})),
    ),
    accept(
        _STORAGE,
        "the volume stays",
        instance(kafka=persistent(deletionPolicy="Delete")),
        old=instance(kafka=persistent()),
    ),
    reject(_STORAGE, "a volume is taken away", instance(), old=instance(kafka=persistent())),
    reject(_STORAGE, "a volume is added", instance(kafka=persistent()), old=instance()),
    accept(
        _CLASS_NAME,
        "className stays",
        instance(kafka=persistent("20Gi", className="fast")),
        old=instance(kafka=persistent(className="fast")),
    ),
    reject(
        _CLASS_NAME,
        "className changes",
        instance(kafka=persistent(className="slow")),
        old=instance(kafka=persistent(className="fast")),
    ),
    reject(
        _CLASS_NAME,
        "className is set later",
        instance(kafka=persistent(className="fast")),
        old=instance(kafka=persistent()),
    ),
    reject(
        _CLASS_NAME,
        "className is removed",
        instance(kafka=persistent()),
        old=instance(kafka=persistent(className="fast")),
    ),
    accept(
        _GROWS,
        "storage grows",
        instance(kafka=persistent("1Ti")),
        old=instance(kafka=persistent("999Gi")),
        seen=_volumes_of("999Gi"),
    ),
    accept(
        _GROWS,
        "storage in other words",
        instance(kafka=persistent("2048Mi")),
        old=instance(kafka=persistent("2Gi")),
        seen=_volumes_of("2Gi"),
    ),
    accept(
        _GROWS,
        "a refused size is set back",
        instance(kafka=persistent("10Gi")),
        old=instance(kafka=persistent("10Ti")),
        seen=_volumes_of("10Gi"),
    ),
    accept(
        _GROWS,
        "another field, while the volumes have more than the spec",
        instance(kafka=persistent("5Gi", deletionPolicy="Delete")),
        old=instance(kafka=persistent("5Gi")),
        seen=_volumes_of("10Gi"),
    ),
    accept(_GROWS, "no volume was made yet", instance(kafka=persistent("9Gi")), old=instance(kafka=persistent("10Gi"))),
    reject(
        _GROWS,
        "storage shrinks",
        instance(kafka=persistent("9Gi")),
        old=instance(kafka=persistent("10Gi")),
        seen=_volumes_of("10Gi"),
    ),
    reject(
        _GROWS,
        "a refused size is set back too far",
        instance(kafka=persistent("9Gi")),
        old=instance(kafka=persistent("10Ti")),
        seen=_volumes_of("10Gi"),
    ),
    accept(_SIZE, "a size with a fraction", instance(kafka=persistent("1.5Ti"))),
    reject(_SIZE, "a size that is no quantity", instance(kafka=persistent("10 GB"))),
    reject(_SIZE, "a size of zero", instance(kafka=persistent("0"))),
    reject(_SIZE, "a negative size", instance(kafka=persistent("-1Gi"))),
    accept(_CONFIG, "harmless broker settings", instance(kafka=managed(config={"log.retention.hours": 24}))),
    reject(_CONFIG, "a listener", instance(kafka=managed(config={"listeners": "PLAINTEXT://:9092"}))),
    reject(_CONFIG, "an authorizer", instance(kafka=managed(config={"authorizer.class.name": "x"}))),
    reject(_CONFIG, "a second super user", instance(kafka=managed(config={"super.users": "User:me"}))),
    reject(_CONFIG, "a listener's own TLS", instance(kafka=managed(config={"listener.name.client.ssl.x": "x"}))),
    reject(_CONFIG, "topic auto-creation", instance(kafka=managed(config={"auto.create.topics.enable": "true"}))),
    accept(_NODE_PORT, "a node port with type NodePort", _service(type="NodePort", nodePort=30443)),
    reject(_NODE_PORT, "a node port with type ClusterIP", _service(type="ClusterIP", nodePort=30443)),
    reject(_NODE_PORT, "a node port with the default type", _service(nodePort=30443)),
    accept(
        _IPV6, "names and addresses", instance(restProducer={"hostnames": ["es.example.com", "10.0.0.1", "fd00::1"]})
    ),
    reject(_IPV6, "colons alone", instance(restProducer={"hostnames": ["::::"]})),
    reject(_IPV6, "a port", instance(restProducer={"hostnames": ["10.0.0.1:443"]})),
)

TOPIC_CASES: Final = (
    accept(
        _INSTANCE_REF,
        "instanceRef stays",
        topic(instanceRef={"name": "one", "namespace": "shop"}, partitions=2),
        old=topic(instanceRef={"name": "one", "namespace": "shop"}),
    ),
    reject(_INSTANCE_REF, "another instance", topic(instanceRef={"name": "two"}), old=topic()),
    reject(
        _INSTANCE_REF,
        "another namespace",
        topic(instanceRef={"name": "one", "namespace": "bank"}),
        old=topic(instanceRef={"name": "one", "namespace": "shop"}),
    ),
    reject(
        _INSTANCE_REF,
        "a namespace is set later",
        topic(instanceRef={"name": "one", "namespace": "shop"}),
        old=topic(),
    ),
    reject(
        _INSTANCE_REF,
        "the namespace is removed",
        topic(),
        old=topic(instanceRef={"name": "one", "namespace": "shop"}),
    ),
    accept(_TOPIC_NAME, "name stays", topic(name="My_Topic", partitions=2), old=topic(name="My_Topic")),
    reject(_TOPIC_NAME, "name changes", topic(name="b"), old=topic(name="a")),
    reject(_TOPIC_NAME, "name is set later, even to the object's", topic(name="one"), old=topic()),
    reject(_TOPIC_NAME, "name is removed", topic(), old=topic(name="a")),
    accept(_DOTS, "a name with dots", topic(name="...")),
    reject(_DOTS, "one dot", topic(name=".")),
    reject(_DOTS, "two dots", topic(name="..")),
    accept(_RESERVED, "one underscore", topic(name="_schemas")),
    reject(_RESERVED, "two underscores", topic(name="__consumer_offsets")),
    accept(_LONG_TOPIC, "an object's name of 249 characters", topic("a" * 249)),
    accept(_LONG_TOPIC, "a longer one with spec.name", topic("a" * 253, name="a")),
    reject(_LONG_TOPIC, "an object's name of 250 characters", topic("a" * 250)),
    accept(_PARTITIONS, "partitions grow", topic(partitions=6), old=topic(partitions=3), seen={"partitions": 3}),
    accept(
        _PARTITIONS,
        "a refused number is taken back",
        topic(partitions=4),
        old=topic(partitions=9),
        seen={"partitions": 3},
    ),
    accept(_PARTITIONS, "no partition was made yet", topic(partitions=1), old=topic(partitions=3)),
    accept(
        _PARTITIONS,
        "another field, while the topic has more than the spec",
        topic(partitions=3, replicationFactor=1),
        old=topic(partitions=3),
        seen={"partitions": 6},
    ),
    accept(_PARTITIONS, "partitions are left to Kafka", topic(), old=topic(partitions=3), seen={"partitions": 3}),
    reject(_PARTITIONS, "partitions shrink", topic(partitions=2), old=topic(partitions=3), seen={"partitions": 3}),
    reject(_PARTITIONS, "set later, below what is there", topic(partitions=2), old=topic(), seen={"partitions": 3}),
)

SERVICE_ID_CASES: Final = (
    accept(_INSTANCE_REF, "instanceRef stays", service_id(role="viewer"), old=service_id()),
    reject(_INSTANCE_REF, "another instance", service_id(instanceRef={"name": "two"}), old=service_id()),
    reject(
        _INSTANCE_REF,
        "a namespace is set later",
        service_id(instanceRef={"name": "one", "namespace": "shop"}),
        old=service_id(),
    ),
    accept(_SECRET_NAME, "secretName stays", service_id(secretName="a", role="viewer"), old=service_id(secretName="a")),
    reject(_SECRET_NAME, "secretName changes", service_id(secretName="b"), old=service_id(secretName="a")),
    reject(_SECRET_NAME, "secretName is set later", service_id(secretName="b"), old=service_id()),
    reject(_SECRET_NAME, "secretName is removed", service_id(), old=service_id(secretName="a")),
    accept(_NEVER_GRANTED, "a name, a prefix, all", service_id(topics=["orders", "pay-*", "_own", "*"])),
    reject(_NEVER_GRANTED, "Kafka's own topic", service_id(topics=["orders", "__consumer_offsets"])),
    reject(_NEVER_GRANTED, "a prefix of Kafka's own", service_id(topics=["__*"])),
    accept(_SOME_LIMIT, "requests alone", service_id(limits={"perReplica": {"requestsPerSecond": 1}})),
    accept(
        _SOME_LIMIT,
        "requests and bytes",
        service_id(limits={"perReplica": {"requestsPerSecond": 100, "bytesPerSecond": 1_000_000}}),
    ),
    reject(_SOME_LIMIT, "limits of nothing", service_id(limits={"perReplica": {}})),
    accept(_LONG_SERVICE_ID, "a name of 240 characters", service_id("a" * 240)),
    reject(_LONG_SERVICE_ID, "a name of 241 characters", service_id("a" * 241)),
)

CASES: Final = (*INSTANCE_CASES, *TOPIC_CASES, *SERVICE_ID_CASES)
