"""What an instance must not lose: who its Kafka is, its CA, the name of its users. Kept in `<instance>-identity`.

The Secret has these keys:

| key | what |
|---|---|
| `owner8` | 8 random characters in the names of all Kafka users that the operator makes for the instance |
| `ca.crt`, `ca.key`, `ca-generation` | the CA; no pod mounts its key |
| `admin.crt`, `admin.key` | managed Kafka: the operator's own client certificate |
| `cluster-id`, `directory-id-<n>` | managed Kafka: what each node's volume is formatted with |

Pure: entropy and time are passed in.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.kafka import StorageDeletionPolicy
from eventstreams.core import names
from eventstreams.core.apikey import Entropy
from eventstreams.core.errors import RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.instance.builders import key_material
from eventstreams.instance.builders.common import Manifest
from eventstreams.instance.builders.kafka_configuration import ADMIN_NAME, BROKERS
from eventstreams.pki.certificates import KeyPair, Leaf, Usage, make_ca, make_leaf, read

COMPONENT: Final = "identity"
ADMIN: Final = Leaf(ADMIN_NAME, Usage.CLIENT)
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class KafkaIdentity:
    """Whose volumes are whose, and how the operator shows who it is. `admin` None: to be issued."""

    cluster_id: str
    directory_ids: tuple[str, ...]
    admin: KeyPair | None


@dataclass(frozen=True, slots=True)
class Identity:
    """The Secret's content. `kafka` None: the instance uses an external Kafka."""

    owner8: str
    ca: KeyPair
    ca_generation: int
    kafka: KafkaIdentity | None

    @property
    def producer_user(self) -> str:
        """The REST producer's user in a managed Kafka."""
        return f"es.{self.owner8}.rest"


def is_kept(instance: EventStreamsInstance) -> bool:
    """Tell whether the identity outlives the instance: it does where the volumes do, which it alone opens."""
    managed = instance.spec.kafka.managed
    persistent = None if managed is None else managed.storage.persistent
    return persistent is not None and persistent.deletion_policy is StorageDeletionPolicy.RETAIN


def mint(instance: EventStreamsInstance, entropy: Entropy, now: datetime) -> Identity:
    """Make the identity of a new instance."""
    ca = make_ca(instance.metadata.name, instance.metadata.namespace, generation=1, now=now)
    number = int.from_bytes(entropy(8))
    owner8 = "".join(_ALPHABET[number // 36**place % 36] for place in range(8))
    kafka = None
    if instance.spec.kafka.managed is not None:
        directory_ids = tuple(kafka_uuid(entropy) for _ in range(BROKERS))
        kafka = KafkaIdentity(kafka_uuid(entropy), directory_ids, make_leaf(ca, ADMIN, now=now))
    return Identity(owner8, ca, 1, kafka)


def with_admin(identity: Identity, admin: KeyPair) -> Identity:
    """Return the identity with another client certificate of the operator."""
    if identity.kafka is None:
        return identity
    return replace(identity, kafka=replace(identity.kafka, admin=admin))


def kafka_uuid(entropy: Entropy) -> str:
    """Return a random id in Kafka's form: 22 characters of base64url.

    Never with a leading hyphen, which Kafka's tools take for an option (org.apache.kafka.common.Uuid does the same).
    """
    while (text := base64.urlsafe_b64encode(entropy(16)).decode().rstrip("=")).startswith("-"):
        pass
    return text


def identity_secret(instance: EventStreamsInstance, identity: Identity, live: Manifest | None) -> Manifest:
    """Secret that holds the identity, owned by the instance unless it outlives it.

    One that was kept for volumes of a former instance (`live` has no owner) stays kept under a new one without such
    volumes: only the policy Delete gives it away.
    """
    texts = {
        "owner8": identity.owner8,
        "ca.crt": identity.ca.certificate_pem,
        "ca.key": identity.ca.key_pem,
        "ca-generation": str(identity.ca_generation),
    }
    if identity.kafka is not None:
        texts["cluster-id"] = identity.kafka.cluster_id
        texts |= {f"directory-id-{number}": one for number, one in enumerate(identity.kafka.directory_ids)}
        if identity.kafka.admin is not None:
            texts |= {"admin.crt": identity.kafka.admin.certificate_pem, "admin.key": identity.kafka.admin.key_pem}
    manifest = key_material.secret(instance, COMPONENT, names.identity(instance.metadata.name), texts)
    was_kept = live is not None and not live["metadata"].get("ownerReferences")
    if is_kept(instance) or (was_kept and not _has_volumes(instance)):
        manifest["metadata"]["ownerReferences"] = []
    return manifest


def identity_of(instance: EventStreamsInstance, live: Manifest) -> Identity:
    """Read the identity from its Secret.

    Raises RefusedError(SECRET_INVALID) when something is missing that cannot be made anew without harm.
    """
    name = names.identity(instance.metadata.name)
    texts = {key: key_material.text_of(live, key) for key in live.get("data") or {}}
    ca = read(texts.get("ca.crt", ""), texts.get("ca.key", ""))
    if ca is None:
        raise RefusedError(Reason.SECRET_INVALID, f"Secret {name} holds no readable CA: restore it from a backup")
    generation = texts.get("ca-generation", "1")
    return Identity(
        owner8=_text(name, texts, "owner8"),
        ca=ca,
        ca_generation=int(generation) if generation.isdigit() else 1,
        kafka=None if instance.spec.kafka.managed is None else _kafka(name, texts),
    )


def _has_volumes(instance: EventStreamsInstance) -> bool:
    managed = instance.spec.kafka.managed
    return managed is not None and managed.storage.persistent is not None


def _kafka(name: str, texts: Mapping[str, str]) -> KafkaIdentity:
    return KafkaIdentity(
        cluster_id=_text(name, texts, "cluster-id"),
        directory_ids=tuple(_text(name, texts, f"directory-id-{number}") for number in range(BROKERS)),
        admin=read(texts.get("admin.crt", ""), texts.get("admin.key", "")),
    )


def _text(name: str, texts: Mapping[str, str], key: str) -> str:
    if not texts.get(key):
        raise RefusedError(Reason.SECRET_INVALID, f"Secret {name} lacks {key}: restore it from a backup")
    return texts[key]
