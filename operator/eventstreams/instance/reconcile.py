"""Brings one instance to its declared state, part by part; one that fails holds up only those that need it.

    identity → certificates and CA bundle → Kafka → the REST producer's user → keyring → Deployment → status

Every pass begins anew from what is live: nothing has to be remembered, and a pass over an instance that is as it
should be writes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from cryptography import x509

from eventstreams.api.instance import CAStatus, Endpoint, EventStreamsInstance, InstanceStatus
from eventstreams.core import names
from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.instance import certificates, endpoints, identity, plan, volumes
from eventstreams.instance.builders import kafka_node, producer_access, producer_pods
from eventstreams.instance.builders.common import Images
from eventstreams.instance.builders.producer_pods import KafkaAccess, Logging
from eventstreams.instance.external import External
from eventstreams.instance.identity import Identity
from eventstreams.instance.managed import Managed
from eventstreams.instance.objects import Objects
from eventstreams.instance.plan import Facts, Rollout
from eventstreams.instance.volumes import Volumes
from eventstreams.instance.work import KafkaMode, Part, Trust, Work, attempt, needed, problem
from eventstreams.kafka.views import ClusterView
from eventstreams.kube.apis import DEPLOYMENTS, NODES, PERSISTENT_VOLUME_CLAIMS, POD_DISRUPTION_BUDGETS, SECRETS
from eventstreams.kube.errors import ForbiddenError
from eventstreams.pki import bundle
from eventstreams.pki.certificates import KeyPair
from eventstreams.pki.policy import renew_at
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import Outcome

CA: Final = "ca"


class Keyrings(Protocol):
    """What the REST producer needs of whoever writes the keyring."""

    async def sync(self, instance: Key) -> None:
        """Have every shard of the instance's keyring exist and be current."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What each part of a pass came to."""

    identity: Part[Identity]
    hosts: Part[tuple[str, ...]]
    node_port: Part[int | None]
    endpoint: Part[KeyPair]
    trust: Part[Trust]
    cluster: Part[ClusterView]
    volumes: Part[Volumes | None]
    access: Part[KafkaAccess]
    admitted: Part[None]
    rollout: Part[Rollout]


class InstanceReconciler:
    """Brings instances to their declared state."""

    def __init__(self, context: Context, keyrings: Keyrings) -> None:
        settings = context.settings
        self._context = context
        self._keyrings = keyrings
        self._images = Images(
            producer=settings.producer_image,
            kafka=settings.kafka_image,
            pull_policy=settings.image_pull_policy,
            pull_secrets=settings.pull_secrets,
        )
        self._logging = Logging(settings.log_format, settings.log_level)
        self._managed = Managed(context, self._images)
        self._external = External(context)

    async def reconcile(self, resource: EventStreamsInstance) -> Outcome[InstanceStatus] | None:
        """Do what is to be done now and report; None while the instance is being deleted.

        What it owns goes by owner reference, volumes by their StatefulSet's policy: nothing holds up its end.
        """
        now = self._context.clock.now()
        work = Work(resource, Objects(self._context.kube, resource), now)
        if resource.metadata.deletion_timestamp is not None:
            await self.gone(work.key)
            return None
        parts = await self._parts(work)
        problems = {
            plan.CERTIFICATES_READY: problem(parts.identity, parts.endpoint, parts.trust),
            plan.KAFKA_AVAILABLE: problem(parts.trust, parts.cluster),
            plan.PRODUCER_AVAILABLE: problem(parts.hosts, parts.node_port, parts.access, parts.admitted, parts.rollout),
        }
        if parts.volumes is not None:
            cannot_grow = parts.volumes.problem if isinstance(parts.volumes, Volumes) else None
            problems[plan.STORAGE_READY] = problem(parts.volumes, cannot_grow)
        self._measure(work, parts)
        rollout = None if isinstance(parts.rollout, EventStreamsError) else parts.rollout
        return Outcome(
            plan.status_of(resource, self._facts(work, parts)),
            plan.findings(problems, rollout),
            again_after=self._again_after([one for found in problems.values() for one in found], parts, now),
        )

    async def gone(self, key: Key) -> None:
        """Close the connection to the Kafka of an instance that is gone."""
        await self._context.kafkas.disconnect(key)
        for mode in (self._managed, self._external):
            mode.forget(key)
        gauge = self._context.metrics.certificate_seconds
        gauge.remove_by_labels({"namespace": key.namespace, "instance": key.name})

    async def _parts(self, work: Work) -> Parts:
        mode: KafkaMode = self._external if work.instance.spec.kafka.external is not None else self._managed
        who = await attempt(self._identity(work))
        hosts = await attempt(self._hosts(work))
        node_port = await attempt(self._publish(work))
        endpoint = await attempt(self._endpoint_certificate(work, who, hosts))
        trust = await attempt(self._trust(work, who))
        cluster = await attempt(self._cluster(work, mode, trust))
        claims = await attempt(self._volumes(work))
        access = await attempt(self._access(work, mode, trust))
        admitted = await attempt(self._admit(work, mode, trust, cluster))
        rollout = await attempt(self._producer(work, endpoint=endpoint, access=access, admitted=admitted))
        return Parts(who, hosts, node_port, endpoint, trust, cluster, claims, access, admitted, rollout)

    async def _identity(self, work: Work) -> Identity:
        """Return who the instance is: kept, adopted, or new."""
        name = names.identity(work.key.name)
        live = await work.objects.read(SECRETS, name)
        if live is None:
            await self._refuse_lost_identity(work)
            found = identity.mint(work.instance, self._context.entropy, work.now)
        else:
            found = identity.identity_of(work.instance, live)
        if found.kafka is not None:
            admin = certificates.judged(found.kafka.admin, identity.ADMIN, found.ca, now=work.now)
            found = identity.with_admin(found, admin)
        await work.objects.store_secret(live, identity.identity_secret(work.instance, found, live))
        return found

    async def _refuse_lost_identity(self, work: Work) -> None:
        managed = work.instance.spec.kafka.managed
        if managed is None or managed.storage.persistent is None:
            return
        claim = kafka_node.data_claim(work.instance, 0)
        volume = await self._context.kube.get(PERSISTENT_VOLUME_CLAIMS, work.key.namespace, claim)
        if volume is None:
            return
        if volume["metadata"].get("deletionTimestamp") is not None:
            raise NotYetError(
                Reason.RECONCILING, f"volume claim {claim} is being deleted, once the pod that uses it is gone", delay=2
            )
        raise RefusedError(
            Reason.IDENTITY_LOST,
            f"volume claim {claim} exists but Secret {names.identity(work.key.name)} does not, without it the volume "
            f"is useless: restore the Secret from a backup, or delete the claim to start empty, after StatefulSet "
            f"{names.kafka(work.key.name)} if there is one",
        )

    async def _hosts(self, work: Work) -> tuple[str, ...]:
        """Return the hosts of the external endpoint; nodes are read only where they have to be."""
        if not endpoints.needs_nodes(work.instance.spec.rest_producer):
            return endpoints.external_hosts(work.instance, ())
        try:
            listed = await self._context.kube.list(NODES, None)
        except ForbiddenError:
            return endpoints.external_hosts(work.instance, None)
        nodes = [node for item in listed.items if (node := endpoints.node_of(item)) is not None]
        return endpoints.external_hosts(work.instance, nodes)

    async def _publish(self, work: Work) -> int | None:
        """Apply what stands around the REST producer's pods; return the endpoint's port on the nodes, if any."""
        for wanted in plan.producer_objects(work.instance):
            await work.objects.apply(wanted)
        budget = producer_pods.rest_producer_disruption_budget(work.instance)
        if budget is None:
            await work.objects.remove(POD_DISRUPTION_BUDGETS, names.rest_producer(work.key.name))
        else:
            await work.objects.apply(budget)
        return plan.node_port_of(await work.objects.apply(producer_access.rest_producer_service(work.instance)))

    async def _endpoint_certificate(self, work: Work, who: Part[Identity], hosts: Part[tuple[str, ...]]) -> KeyPair:
        """Keep the server certificate; where outside hosts are the user's to name, it is for the inside until then."""
        known = () if isinstance(hosts, RefusedError) else needed(hosts)
        wanted = certificates.endpoint_leaf(work.instance, known)
        return await certificates.ensure_leaf(work.instance, work.objects, wanted, needed(who).ca, now=work.now)

    async def _trust(self, work: Work, who: Part[Identity]) -> Trust:
        """Publish the CA bundle; keep the brokers' certificate where there are brokers."""
        found = needed(who)
        ca_pem = await certificates.ensure_bundle(work.instance, work.objects, found.ca)
        if found.kafka is None:
            return Trust(found, ca_pem, None)
        wanted = certificates.broker_leaf(work.instance)
        broker = await certificates.ensure_leaf(work.instance, work.objects, wanted, found.ca, now=work.now)
        return Trust(found, ca_pem, broker)

    async def _cluster(self, work: Work, mode: KafkaMode, trust: Part[Trust]) -> ClusterView:
        before = self._context.kafkas.get(work.key)
        view = await mode.available(work, needed(trust))
        if self._context.kafkas.get(work.key) is not before:
            # a first connection after a start changes no status, yet the topics waited for it
            self._context.topics.wake_where(lambda topic: topic.instance_key == work.key)
        return view

    async def _volumes(self, work: Work) -> Volumes | None:
        """Have the volumes grow; None without any. A part of its own: a size that is refused takes no Kafka away."""
        managed = work.instance.spec.kafka.managed
        if managed is None or managed.storage.persistent is None:
            return None
        return await volumes.grow(self._context.kube, work.instance, managed.storage.persistent)

    async def _access(self, work: Work, mode: KafkaMode, trust: Part[Trust]) -> KafkaAccess:
        return await mode.access(work, needed(trust))

    async def _admit(self, work: Work, mode: KafkaMode, trust: Part[Trust], cluster: Part[ClusterView]) -> None:
        needed(cluster)
        await mode.admit(work, needed(trust))

    async def _producer(
        self,
        work: Work,
        *,
        endpoint: Part[KeyPair],
        access: Part[KafkaAccess],
        admitted: Part[None],
    ) -> Rollout:
        """Apply the Deployment: a new one once Kafka knows its user, one that runs also while Kafka is away."""
        needed(endpoint)
        if await work.objects.read(DEPLOYMENTS, names.rest_producer(work.key.name)) is None:
            needed(admitted)
        await self._keyrings.sync(work.key)
        wanted = producer_pods.rest_producer_deployment(
            work.instance, self._images, kafka=needed(access), logging=self._logging
        )
        return plan.rollout_of(work.instance, await work.objects.apply(wanted))

    def _facts(self, work: Work, parts: Parts) -> Facts:
        who, trust, endpoint, cluster = parts.identity, parts.trust, parts.endpoint, parts.cluster
        is_managed = work.instance.spec.kafka.managed is not None
        return Facts(
            endpoints=_endpoints(work.instance, parts),
            ca=_ca_status(who) if isinstance(who, Identity) else None,
            ca_fingerprints=(bundle.fingerprint(trust.identity.ca.certificate),) if isinstance(trust, Trust) else None,
            endpoint_not_after=endpoint.certificate.not_valid_after_utc if isinstance(endpoint, KeyPair) else None,
            cluster_id=cluster.cluster_id if isinstance(cluster, ClusterView) else None,
            brokers=len(cluster.brokers) if isinstance(cluster, ClusterView) else None,
            version=self._context.settings.kafka_version if is_managed else None,
            storage_size=parts.volumes.size if isinstance(parts.volumes, Volumes) else None,
        )

    def _measure(self, work: Work, parts: Parts) -> None:
        """Publish how long each certificate still lives."""
        gauge = self._context.metrics.certificate_seconds
        for name, certificate in _certificates(parts):
            left = certificate.not_valid_after_utc - work.now
            gauge.labels(work.key.namespace, work.key.name, name).set(left.total_seconds())

    def _again_after(self, problems: Sequence[EventStreamsError], parts: Parts, now: datetime) -> float:
        """Return the seconds until the next pass: soon after a problem, else with the sweeps or the next renewal."""
        if problems:
            return plan.retry_after(problems)
        renewals = ((renew_at(leaf) - now).total_seconds() for name, leaf in _certificates(parts) if name != CA)
        return min(float(self._context.settings.resync_seconds), *renewals)


def _endpoints(instance: EventStreamsInstance, parts: Parts) -> tuple[Endpoint, ...] | None:
    """Return the addresses, None while one cannot be told: then those of before stand."""
    if isinstance(parts.node_port, EventStreamsError) or isinstance(parts.hosts, NotYetError):
        return None
    hosts = () if isinstance(parts.hosts, EventStreamsError) else parts.hosts
    return endpoints.endpoints_of(instance, hosts=hosts, node_port=parts.node_port)


def _ca_status(who: Identity) -> CAStatus:
    return CAStatus(generation=who.ca_generation, not_after=who.ca.certificate.not_valid_after_utc)


def _certificates(parts: Parts) -> Iterator[tuple[str, x509.Certificate]]:
    """Yield every certificate of the instance with its name in metrics."""
    if isinstance(parts.endpoint, KeyPair):
        yield "endpoint", parts.endpoint.certificate
    if isinstance(parts.trust, Trust) and parts.trust.broker is not None:
        yield "broker", parts.trust.broker.certificate
    if isinstance(parts.identity, Identity):
        yield CA, parts.identity.ca.certificate
        if parts.identity.kafka is not None and parts.identity.kafka.admin is not None:
            yield "admin", parts.identity.kafka.admin.certificate
