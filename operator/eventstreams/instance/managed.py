"""A Kafka that the operator runs: its objects, its volumes, its restarts, and the REST producer's user in it."""

import base64
import hashlib
import logging
from typing import Final

from typing_extensions import override

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.kafka import ManagedKafka
from eventstreams.core import names
from eventstreams.core.errors import NotYetError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.instance import plan
from eventstreams.instance.builders import key_material
from eventstreams.instance.builders.common import Images, Manifest
from eventstreams.instance.builders.kafka_configuration import bootstrap_servers
from eventstreams.instance.builders.producer_pods import CASource, KafkaAccess
from eventstreams.instance.connection import connect
from eventstreams.instance.identity import KafkaIdentity
from eventstreams.instance.work import KafkaMode, Trust, Work
from eventstreams.kafka.config import Hidden, KafkaConfig
from eventstreams.kafka.views import AclRule, ClusterView, Operation
from eventstreams.kube.apis import PODS, SECRETS, STATEFUL_SETS
from eventstreams.pki import bundle
from eventstreams.runtime.context import Context

logger = logging.getLogger(__name__)

SASL_MECHANISM: Final = "SCRAM-SHA-512"
PASSWORD_BYTES: Final = 24  # 192 random bits, 32 characters
PRODUCER_MAY: Final[tuple[Operation, ...]] = ("describe", "write")


class Managed(KafkaMode):
    """The mode `managed`."""

    def __init__(self, context: Context, images: Images) -> None:
        self._context = context
        self._images = images
        self._admitted: dict[Key, str] = {}  # digest of the user and password that Kafka was last told

    @override
    async def available(self, work: Work, trust: Trust) -> ClusterView:
        """Apply the objects, replace an outdated pod, and connect once the broker is ready."""
        managed, identity = _managed(work.instance), _kafka(trust)
        pod = await self._broker(work, managed, identity, trust)
        if not plan.is_ready(pod):
            raise NotYetError(Reason.KAFKA_STARTING, plan.why_not_ready(pod))
        config = _admin_config(work.instance, identity, trust.ca_pem)
        return await connect(self._context.kafkas, work.key, config, recorded=identity.cluster_id)

    @override
    async def access(self, work: Work, trust: Trust) -> KafkaAccess:
        """Keep the producer's user and password in their Secret, and say where the brokers are."""
        await self._password(work, trust)
        return KafkaAccess(
            bootstrap_servers=bootstrap_servers(work.instance, names.KAFKA_CLIENT_PORT),
            sasl_mechanism=SASL_MECHANISM,
            credentials=names.producer_credentials(work.key.name),
            ca=CASource("ConfigMap", names.ca_bundle(work.key.name)),
        )

    @override
    async def admit(self, work: Work, trust: Trust) -> None:
        """Tell Kafka the password when it may not know it, and add the rights that are missing."""
        admin = self._context.kafkas.get(work.key)
        if admin is None:
            raise NotYetError(Reason.KAFKA_STARTING, "there is no connection to Kafka yet")
        user, password = trust.identity.producer_user, await self._password(work, trust)
        said = hashlib.sha256(f"{user}:{password}".encode()).hexdigest()
        if self._admitted.get(work.key) != said or user not in await admin.scram_users():
            await admin.upsert_scram(user, Hidden(password))
            self._admitted[work.key] = said
            logger.info("Set Kafka user", extra={"instance": str(work.key), "user": user})
        rights = {AclRule(user, "topic", "*", operation) for operation in PRODUCER_MAY}
        if missing := rights - await admin.acls(user):
            await admin.ensure_acls(missing)

    @override
    def forget(self, key: Key) -> None:
        """Drop what Kafka was told."""
        self._admitted.pop(key, None)

    async def _broker(
        self, work: Work, managed: ManagedKafka, identity: KafkaIdentity, trust: Trust
    ) -> Manifest | None:
        """Bring the objects to their declared state; return the broker's pod."""
        if trust.broker is None:
            raise AssertionError("a managed Kafka has a broker certificate")
        configuration, *others = plan.kafka_objects(work.instance, managed, identity)
        for wanted in (configuration, *others):
            await work.objects.apply(wanted)
        live = await work.objects.read(STATEFUL_SETS, names.kafka(work.key.name))
        live = await work.objects.apply(
            plan.stateful_set(
                work.instance,
                managed,
                self._images,
                settings=configuration["data"],
                certificate=bundle.fingerprint(trust.broker.certificate),
                live=live,
            )
        )
        return await self._replaced(work, live)

    async def _replaced(self, work: Work, live: Manifest) -> Manifest | None:
        """Return the broker's pod; delete it when it is outdated, for the StatefulSet to make it anew."""
        kube, namespace = self._context.kube, work.key.namespace
        name = f"{live['metadata']['name']}-0"
        pod = await kube.get(PODS, namespace, name)
        if pod is None:
            return None
        plan.demand_own_pod(live, pod)
        if not plan.has_to_be_replaced(live, pod):
            return pod
        await kube.delete(PODS, namespace, name, uid=pod["metadata"]["uid"])
        logger.info("Restarted broker with new settings", extra={"instance": str(work.key), "pod": name})
        raise NotYetError(Reason.KAFKA_STARTING, f"broker {name} is restarted with new settings")

    async def _password(self, work: Work, trust: Trust) -> str:
        """Return the producer's password, made and kept in its Secret when there is none."""
        live = await work.objects.read(SECRETS, names.producer_credentials(work.key.name))
        user, password = trust.identity.producer_user, key_material.text_of(live, "password")
        if not password:
            password = base64.urlsafe_b64encode(self._context.entropy(PASSWORD_BYTES)).decode()
        wanted = key_material.producer_credentials_secret(work.instance, username=user, password=password)
        await work.objects.store_secret(live, wanted)
        return password


def _admin_config(instance: EventStreamsInstance, identity: KafkaIdentity, ca_pem: str) -> KafkaConfig:
    if identity.admin is None:
        raise AssertionError("the admin certificate is issued with the identity")
    return KafkaConfig(
        bootstrap_servers=bootstrap_servers(instance, names.KAFKA_INTERNAL_PORT),
        security_protocol="SSL",
        ca_pem=ca_pem,
        certificate_pem=identity.admin.certificate_pem,
        key_pem=Hidden(identity.admin.key_pem),
    )


def _managed(instance: EventStreamsInstance) -> ManagedKafka:
    if instance.spec.kafka.managed is None:
        raise AssertionError("called for a managed Kafka only")
    return instance.spec.kafka.managed


def _kafka(trust: Trust) -> KafkaIdentity:
    if trust.identity.kafka is None:
        raise AssertionError("the identity of a managed Kafka has one")
    return trust.identity.kafka
