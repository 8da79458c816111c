"""A Kafka that exists already: reached with the user that the spec names, never changed but for topics."""

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from typing_extensions import override

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.kafka import ExternalKafka
from eventstreams.core.errors import RefusedError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.instance.builders.key_material import CA_FILE, text_of
from eventstreams.instance.builders.producer_pods import CASource, KafkaAccess
from eventstreams.instance.connection import connect
from eventstreams.instance.work import KafkaMode, Trust, Work
from eventstreams.kafka.config import Hidden, KafkaConfig, SaslMechanism
from eventstreams.kafka.views import ClusterView
from eventstreams.kube.apis import SECRETS, Manifest
from eventstreams.runtime.context import Context

_MECHANISMS: Final[dict[str, SaslMechanism]] = {"scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of the external Kafka."""

    username: str
    password: Hidden


class External(KafkaMode):
    """The mode `external`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @override
    async def available(self, work: Work, trust: Trust) -> ClusterView:
        """Connect with the user that the spec names; refuse a cluster that is not the recorded one."""
        external = _external(work.instance)
        user = await self._credentials(work, external.authentication.secret_ref.name)
        config = KafkaConfig(
            bootstrap_servers=external.bootstrap_servers,
            security_protocol="SASL_SSL",
            sasl_mechanism=_MECHANISMS[external.authentication.type],
            username=user.username,
            password=user.password,
            ca_pem=await self._ca_pem(work),
        )
        known = work.instance.status.kafka
        return await connect(
            self._context.kafkas, work.key, config, recorded=None if known is None else known.cluster_id
        )

    @override
    async def access(self, work: Work, trust: Trust) -> KafkaAccess:
        """Return the producer's user, or the operator's own where none is named, once the Secrets are complete."""
        external = _external(work.instance)
        reference = external.producer_secret_ref or external.authentication.secret_ref
        await self._credentials(work, reference.name)
        await self._ca_pem(work)
        ca = external.tls.ca_secret_ref
        return KafkaAccess(
            bootstrap_servers=external.bootstrap_servers,
            sasl_mechanism=_MECHANISMS[external.authentication.type],
            credentials=reference.name,
            ca=None if ca is None else CASource("Secret", ca.name),
        )

    @override
    async def admit(self, work: Work, trust: Trust) -> None:
        """Nothing: users of an external Kafka are its administrator's."""

    @override
    def forget(self, key: Key) -> None:
        """Nothing is remembered."""

    async def _credentials(self, work: Work, secret: str) -> Credentials:
        live = await self._secret(work, secret)
        username, password = (_text(live, secret, key) for key in ("username", "password"))
        return Credentials(username, Hidden(password))

    async def _ca_pem(self, work: Work) -> str | None:
        """Return the CA certificates that verify the brokers, None for the public ones."""
        reference = _external(work.instance).tls.ca_secret_ref
        if reference is None:
            return None
        pem = _text(await self._secret(work, reference.name), reference.name, CA_FILE)
        try:
            x509.load_pem_x509_certificates(pem.encode())
        except ValueError:
            raise RefusedError(
                Reason.SECRET_INVALID,
                f"{CA_FILE} of Secret {reference.name} holds no PEM certificates: put in the CA of the brokers",
            ) from None
        return pem

    async def _secret(self, work: Work, name: str) -> Manifest:
        live = await self._context.kube.get(SECRETS, work.key.namespace, name)
        if live is None:
            raise RefusedError(
                Reason.SECRET_NOT_FOUND,
                f"spec.kafka.external names Secret {name}, there is none in namespace {work.key.namespace}: create it",
            )
        return live


def _external(instance: EventStreamsInstance) -> ExternalKafka:
    if instance.spec.kafka.external is None:
        raise AssertionError("called for an external Kafka only")
    return instance.spec.kafka.external


def _text(live: Manifest, name: str, key: str) -> str:
    """Return a text of a Secret without the white space around it: a Secret made from a file ends in a line end."""
    text = text_of(live, key).strip()
    if not text:
        raise RefusedError(Reason.SECRET_INVALID, f"Secret {name} lacks {key}, or it is empty or no text: set it")
    return text
