"""The objects that hold certificates, keys and passwords. Secrets are the only place where the latter two may be."""

import base64
from collections.abc import Mapping
from typing import Final

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.core import names
from eventstreams.instance.builders.common import KAFKA, REST_PRODUCER, Manifest, owned
from eventstreams.pki.certificates import KeyPair

CA: Final = "ca"
CA_FILE: Final = "ca.crt"
TRUSTSTORE_FILE: Final = "truststore.p12"
KEYSTORE_FILE: Final = "server.pem"


def ca_bundle_config_map(instance: EventStreamsInstance, *, pem: str, truststore: bytes) -> Manifest:
    """ConfigMap with every trusted CA: as PEM, and as a Java truststore whose password is `changeit`."""
    name = names.ca_bundle(instance.metadata.name)
    return owned(instance, CA, api="v1", kind="ConfigMap", name=name) | {
        "data": {CA_FILE: pem},
        "binaryData": {TRUSTSTORE_FILE: base64.b64encode(truststore).decode()},
    }


def endpoint_certificate_secret(instance: EventStreamsInstance, pair: KeyPair) -> Manifest:
    """Secret of the endpoint's server certificate."""
    files = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    return secret(
        instance,
        REST_PRODUCER,
        names.endpoint_certificate(instance.metadata.name),
        files,
        kind="kubernetes.io/tls",
    )


def kafka_certificate_secret(instance: EventStreamsInstance, pair: KeyPair) -> Manifest:
    """Secret of the brokers' certificate: one file with the key first, as Kafka's PEM keystores have it."""
    files = {KEYSTORE_FILE: pair.key_pem + pair.certificate_pem}
    return secret(instance, KAFKA, names.kafka_certificate(instance.metadata.name), files)


def producer_credentials_secret(instance: EventStreamsInstance, *, username: str, password: str) -> Manifest:
    """Secret of the REST producer's own Kafka user."""
    files = {"username": username, "password": password}
    return secret(instance, REST_PRODUCER, names.producer_credentials(instance.metadata.name), files)


def secret(
    instance: EventStreamsInstance, component: str, name: str, texts: Mapping[str, str], *, kind: str = "Opaque"
) -> Manifest:
    """Return a Secret of the instance with these texts."""
    data = {key: base64.b64encode(text.encode()).decode() for key, text in sorted(texts.items())}
    return owned(instance, component, api="v1", kind="Secret", name=name) | {"type": kind, "data": data}


def bytes_of(live: Manifest | None, key: str) -> bytes:
    """Return one binary value of a ConfigMap, empty when the ConfigMap, the key or sense is missing."""
    return _decoded((live or {}).get("binaryData", {}).get(key, ""))


def text_of(live: Manifest | None, key: str) -> str:
    """Return one text of a Secret, empty when the Secret, the key or sense is missing."""
    try:
        return _decoded((live or {}).get("data", {}).get(key, "")).decode()
    except UnicodeDecodeError:
        return ""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
