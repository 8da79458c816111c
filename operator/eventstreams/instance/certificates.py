"""The certificates of an instance: which there are, when they are issued anew, and the bundle that clients trust."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.core import names
from eventstreams.instance import endpoints
from eventstreams.instance.builders import key_material
from eventstreams.instance.builders.common import Manifest
from eventstreams.instance.builders.kafka_configuration import BROKER_NAME
from eventstreams.instance.objects import Objects
from eventstreams.kube.apis import CONFIG_MAPS, SECRETS
from eventstreams.pki import bundle
from eventstreams.pki.certificates import KeyPair, Leaf, Usage, make_leaf, read
from eventstreams.pki.policy import REISSUE_WHEN, Inputs, first

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeafSecret:
    """One leaf certificate and the Secret that holds it, under the keys `certificate` and `key` (or one for both)."""

    name: str
    certificate: str
    key: str
    build: Callable[[EventStreamsInstance, KeyPair], Manifest]
    leaf: Leaf


def endpoint_leaf(instance: EventStreamsInstance, hosts: tuple[str, ...]) -> LeafSecret:
    """Return the REST producer's server certificate, for its Service and for the hosts of outside."""
    return LeafSecret(
        names.endpoint_certificate(instance.metadata.name),
        "tls.crt",
        "tls.key",
        key_material.endpoint_certificate_secret,
        Leaf(names.rest_producer(instance.metadata.name), Usage.SERVER, endpoints.producer_names(instance, hosts)),
    )


def broker_leaf(instance: EventStreamsInstance) -> LeafSecret:
    """Return the certificate that all brokers share."""
    return LeafSecret(
        names.kafka_certificate(instance.metadata.name),
        key_material.KEYSTORE_FILE,
        key_material.KEYSTORE_FILE,
        key_material.kafka_certificate_secret,
        Leaf(BROKER_NAME, Usage.PEER, endpoints.kafka_names(instance)),
    )


def judged(stored: KeyPair | None, wanted: Leaf, ca: KeyPair, *, now: datetime) -> KeyPair:
    """Return the stored certificate, or a new one when a check of the policy says so. Pure but for the key."""
    verdict = first(REISSUE_WHEN, Inputs(stored, wanted, ca.certificate, now))
    if stored is not None and verdict is None:
        return stored
    pair = make_leaf(ca, wanted, now=now)
    logger.info(
        "Issued certificate",
        extra={
            "common_name": wanted.common_name,
            "why": "" if verdict is None else verdict.check,
            "not_after": pair.certificate.not_valid_after_utc.isoformat(),
        },
    )
    return pair


async def ensure_leaf(
    instance: EventStreamsInstance, objects: Objects, wanted: LeafSecret, ca: KeyPair, *, now: datetime
) -> KeyPair:
    """Return the certificate in its Secret, issued anew when it has to be."""
    live = await objects.read(SECRETS, wanted.name)
    stored = read(key_material.text_of(live, wanted.certificate), key_material.text_of(live, wanted.key))
    pair = judged(stored, wanted.leaf, ca, now=now)
    await objects.store_secret(live, wanted.build(instance, pair))
    return pair


async def ensure_bundle(instance: EventStreamsInstance, objects: Objects, ca: KeyPair) -> str:
    """Publish the CA certificates that clients trust; return them as PEM.

    The truststore stays as it is while the certificates do: made anew, its bytes would differ each time.
    """
    trusted = [ca.certificate]
    pem = bundle.pem(trusted)
    live = await objects.read(CONFIG_MAPS, names.ca_bundle(instance.metadata.name))
    stored = key_material.bytes_of(live, key_material.TRUSTSTORE_FILE)
    truststore = stored if bundle.is_truststore_of(stored, trusted) else bundle.truststore(trusted)
    await objects.apply(key_material.ca_bundle_config_map(instance, pem=pem, truststore=truststore))
    return pem
