"""The kind EventStreamsInstance: Kafka, its CA, the REST producer and its endpoint."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from eventstreams.api.kafka import Kafka
from eventstreams.api.model import (
    Column,
    Kind,
    Model,
    Resource,
    Resources,
    Rule,
    Status,
    no_schema_default,
    rules,
)


class ProducerLimits(Model):
    """Limits of the REST producer: of each request, and of what each pod holds."""

    max_key_bytes: Annotated[int, Field(ge=1, le=1_048_576)] = 4096
    """Longest record key, in bytes after decoding."""
    max_message_bytes: Annotated[int, Field(ge=1, le=10_485_760)] = 65536
    """Longest record value, in bytes. A managed Kafka takes it too; it restarts for that when this passes about 1 MB.
    An external one must be told to."""
    max_request_bytes: Annotated[int, Field(ge=1, le=33_554_432)] = 1_048_576
    """Longest body that carries records in lines or in an envelope, in bytes."""
    max_records_per_request: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Most records in one body."""
    request_timeout_seconds: Annotated[int, Field(ge=3, le=300)] = 10
    """Seconds until a record that Kafka has not acknowledged is answered with 408."""
    in_flight_records: Annotated[int, Field(ge=1, le=1_000_000)] = 5000
    """Records that may wait for Kafka's confirmation at a time, in each pod. Beyond: 503."""
    in_flight_bytes: Annotated[int, Field(ge=1, le=1_073_741_824)] = 50_331_648
    """The same in bytes of bodies; as many may be coming in. A higher value wants more memory in `resources`."""


class ServiceType(Enum):
    """How the endpoint is published."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"


class EndpointService(Model):
    """The Service in front of the REST producer."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.nodePort) || self.type == 'NodePort'",
                "nodePort needs type NodePort: set it or remove nodePort",
            )
        )
    )

    type: ServiceType = ServiceType.CLUSTER_IP
    """`ClusterIP` inside the cluster only, `NodePort` also on a port of every node."""
    node_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    """Port on the nodes with type NodePort; absent: Kubernetes chooses and keeps one."""
    annotations: Annotated[dict[str, str], Field(max_length=50)] = Field(default_factory=dict)
    """Annotations of the Service."""


_LABEL = "[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"

Hostname = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=rf"^({_LABEL}(\.{_LABEL})*|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$",
        json_schema_extra=rules(Rule("!self.contains(':') || isIP(self)", "with colons it must be an IPv6 address")),
    ),
]


class RestProducer(Model):
    """The HTTPS endpoint that takes records."""

    replicas: Annotated[int, Field(ge=0, le=100, json_schema_extra=no_schema_default)] = 2
    """Number of pods; absent: 2."""
    resources: Resources = Resources(requests={"cpu": "100m", "memory": "96Mi"}, limits={"memory": "512Mi"})
    """Compute resources of each pod."""
    limits: ProducerLimits = ProducerLimits()
    """Limits of each request, and of what each pod holds."""
    page: bool = True
    """Serve the page at `/`, from which a person can send a record. `/openapi.json` is always there."""
    service: EndpointService = EndpointService()
    """The Service in front of the pods."""
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=20)] = ()
    """Extra DNS names and addresses for the server certificate; the first one is the external endpoint's host."""


class InstanceSpec(Model):
    """Kafka and the REST producer in front of it."""

    kafka: Kafka
    """The Kafka: managed by the operator, or external."""
    rest_producer: RestProducer = RestProducer()
    """The HTTPS endpoint that takes records."""


class Scope(Enum):
    """From where an endpoint can be reached."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class Endpoint(Model):
    """One address of the instance."""

    name: Literal["producer-api", "kafka"]
    """`producer-api` takes records over HTTPS; `kafka` is the bootstrap address of native clients."""
    uri: str
    """`https://host:port` of the REST producer, `host:port` of Kafka."""
    scope: Scope
    """`internal`: inside the cluster. `external`: outside too."""


class CABundleStatus(Model):
    """Where clients find the CA certificates to trust."""

    config_map: str
    """ConfigMap with `ca.crt` (PEM, signing CA first) and `truststore.p12`."""
    fingerprints: tuple[str, ...] = ()
    """SHA-256 of each trusted certificate, in hexadecimal."""


class CAStatus(Model):
    """The signing CA."""

    generation: int
    """1 for the first CA, one more for each that follows."""
    not_after: datetime
    """When it ends."""


class LeafStatus(Model):
    """A server certificate."""

    not_after: datetime
    """When it ends."""


class CertificatesStatus(Model):
    """Certificates of the instance."""

    ca: CAStatus | None = None
    """The signing CA."""
    endpoint: LeafStatus | None = None
    """The REST producer's server certificate."""


class KafkaStatus(Model):
    """The Kafka that answered."""

    mode: Literal["managed", "external"]
    """Who runs it."""
    cluster_id: str | None = None
    """Kafka's cluster id, recorded at the first contact."""
    version: str | None = None
    """Version of the managed Kafka: that of the operator's Kafka image."""
    brokers: int | None = None
    """Number of brokers."""
    storage_size: Annotated[str | None, Field(max_length=32)] = None
    """What each broker's volume claim asks for."""


class InstanceStatus(Status):
    """What the operator made and where it is."""

    endpoints: tuple[Endpoint, ...] = ()
    """Every address of the instance."""
    ca_bundle: CABundleStatus | None = None
    """Where clients find the CA certificates to trust."""
    certificates: CertificatesStatus | None = None
    """Certificates of the instance."""
    kafka: KafkaStatus | None = None
    """The Kafka that answered."""


class EventStreamsInstance(Resource):
    """Kafka, a CA, the REST producer and its endpoint, as one unit."""

    spec: InstanceSpec
    status: InstanceStatus = InstanceStatus()


_STORAGE = "spec.kafka.managed.storage.persistent"


def _has_volume(it: str) -> str:
    return f"has({it}.spec.kafka.managed) && has({it}.spec.kafka.managed.storage.persistent)"


INSTANCE = Kind(
    kind="EventStreamsInstance",
    plural="eventstreamsinstances",
    short_names=("esi",),
    spec=InstanceSpec,
    status=InstanceStatus,
    resource=EventStreamsInstance,
    columns=(
        Column("Endpoint", '.status.endpoints[?(@.name=="producer-api")].uri'),
        Column("Kafka", ".status.kafka.mode"),
        Column("Brokers", ".status.kafka.brokers", "integer"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
        Column("CA-Expires", ".status.certificates.ca.notAfter", priority=1),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    root_rules=(
        Rule(
            "size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "the name of an instance has at most 40 characters: lower-case letters, digits and -, a letter first",
        ),
        Rule(
            f"!({_has_volume('self')}) || !({_has_volume('oldSelf')}) || "
            f"self.{_STORAGE}.size == oldSelf.{_STORAGE}.size || "
            "!has(self.status) || !has(self.status.kafka) || !has(self.status.kafka.storageSize) || "
            f"quantity(self.{_STORAGE}.size).compareTo(quantity(self.status.kafka.storageSize)) >= 0",
            "storage size may only grow: no volume can shrink",
        ),
    ),
)
