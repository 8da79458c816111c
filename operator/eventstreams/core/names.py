"""Names, labels and annotations that more than one room, or somebody outside, relies on."""

from typing import Final

GROUP: Final = "eventstreams.dev"
VERSION: Final = "v1beta1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FINALIZER: Final = f"{GROUP}/cleanup"
FIELD_MANAGER: Final = "eventstreams-operator"

# labels on every object that the operator makes
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY_VALUE: Final = "eventstreams-operator"
COMPONENT: Final = "app.kubernetes.io/component"
NAME: Final = "app.kubernetes.io/name"
NAME_VALUE: Final = "eventstreams"
INSTANCE_LABEL: Final = f"{GROUP}/instance"
SERVICE_ID_LABEL: Final = f"{GROUP}/service-id"  # first 16 hex of the SHA-256 of the name: names outgrow labels

# annotations on a credentials Secret, so that status can be rebuilt after a restore that dropped it
KEY_ID_ANNOTATION: Final = f"{GROUP}/key-id"
KEY_GENERATION_ANNOTATION: Final = f"{GROUP}/key-generation"
KEY_CREATED_ANNOTATION: Final = f"{GROUP}/key-created-at"

PRODUCER_PORT: Final = 9443  # HTTPS of the REST producer inside its pod
PRODUCER_METRICS_PORT: Final = 9090
ENDPOINT_PORT: Final = 443
KAFKA_CLIENT_PORT: Final = 9093  # SASL_SSL, SCRAM-SHA-512
KAFKA_INTERNAL_PORT: Final = 9091  # mutual TLS: brokers and operator
KAFKA_CONTROLLER_PORT: Final = 9090

TRUSTSTORE_PASSWORD: Final = "changeit"  # noqa: S105  # Java's own default; it guards public certificates only


def ca_bundle(instance: str) -> str:
    """Name of the ConfigMap that holds every trusted CA."""
    return f"{instance}-ca-bundle"


def identity(instance: str) -> str:
    """Name of the Secret that keeps what an instance must not lose: ids, CA key, admin certificate."""
    return f"{instance}-identity"


def endpoint_certificate(instance: str) -> str:
    """Name of the Secret with the REST producer's server certificate (`tls.crt`, `tls.key`)."""
    return f"{instance}-rest-tls"


def producer_credentials(instance: str) -> str:
    """Name of the Secret with the REST producer's own Kafka user."""
    return f"{instance}-rest-kafka"


def rest_producer(instance: str) -> str:
    """Name of the REST producer's Deployment, endpoint Service, ServiceAccount, Role and NetworkPolicy."""
    return f"{instance}-rest"


def kafka(instance: str) -> str:
    """Name of the managed Kafka's StatefulSet and bootstrap Service."""
    return f"{instance}-kafka"


def kafka_headless(instance: str) -> str:
    """Name of the headless Service that gives each broker its DNS name."""
    return f"{instance}-kafka-nodes"


def keyring(instance: str, shard: int) -> str:
    """Name of the ConfigMap of one keyring shard."""
    return f"{instance}-keyring-{shard}"


def credentials(service_id: str) -> str:
    """Default name of a ServiceID's Secret."""
    return f"{service_id}-credentials"


def kafka_configuration(instance: str) -> str:
    """Name of the ConfigMap with a managed Kafka's start script and settings."""
    return f"{instance}-kafka-config"


def kafka_certificate(instance: str) -> str:
    """Name of the Secret with the brokers' certificate and key in one PEM file."""
    return f"{instance}-kafka-tls"
