"""The status of an EventStreamsInstance."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Literal

from pydantic import Field

from eventstreams.api.model import Model, Status


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
