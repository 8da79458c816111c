"""What an instance is made of, what its live objects say, and what is reported of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eventstreams.api import conditions
from eventstreams.api.conditions import Finding
from eventstreams.api.instance import (
    CABundleStatus,
    CAStatus,
    CertificatesStatus,
    Endpoint,
    EventStreamsInstance,
    InstanceStatus,
    KafkaStatus,
    LeafStatus,
)
from eventstreams.api.kafka import ManagedKafka
from eventstreams.core import names
from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.instance.builders import kafka_node, producer_access
from eventstreams.instance.builders.common import REST_PRODUCER, Images, Manifest, digest
from eventstreams.instance.builders.kafka_configuration import kafka_configuration
from eventstreams.instance.identity import KafkaIdentity
from eventstreams.instance.quantities import number_of

KAFKA_AVAILABLE: Final = "KafkaAvailable"
PRODUCER_AVAILABLE: Final = "ProducerAvailable"
CERTIFICATES_READY: Final = "CertificatesReady"
STORAGE_READY: Final = "StorageReady"

RETRY_SECONDS: Final = 10.0
"""Until the next look at what is not there yet. Pods wake their instance; a Kafka, a Secret or a node does not."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far the REST producer's pods are."""

    wanted: int
    available: int
    is_complete: bool
    held_up: str = ""
    """What the Deployment's controller says of pods that it cannot make or that do not start."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was learnt in one pass; None: not this time, so that the status keeps what it says."""

    endpoints: tuple[Endpoint, ...] | None = None
    ca_fingerprints: tuple[str, ...] | None = None
    ca: CAStatus | None = None
    endpoint_not_after: datetime | None = None
    cluster_id: str | None = None
    brokers: int | None = None
    version: str | None = None
    storage_size: str | None = None


def kafka_objects(
    instance: EventStreamsInstance, managed: ManagedKafka, identity: KafkaIdentity
) -> tuple[Manifest, ...]:
    """Return what the brokers' pods need before they start; the ConfigMap with their settings comes first."""
    return (
        kafka_configuration(instance, managed, cluster_id=identity.cluster_id, directory_ids=identity.directory_ids),
        kafka_node.kafka_headless_service(instance),
        kafka_node.kafka_bootstrap_service(instance),
        kafka_node.kafka_network_policy(instance),
    )


def stateful_set(
    instance: EventStreamsInstance,
    managed: ManagedKafka,
    images: Images,
    *,
    settings: Mapping[str, str],
    certificate: str,
    live: Manifest | None,
) -> Manifest:
    """Return the brokers' StatefulSet.

    New `settings` (the ConfigMap's data) or another `certificate` (its fingerprint) make the pods outdated: brokers
    read both only when they start.
    """
    persistent = managed.storage.persistent
    return kafka_node.kafka_stateful_set(
        instance,
        managed,
        images,
        config=digest(dict(settings), certificate),
        claim_size=None if persistent is None else _first_claim_size(live) or persistent.size,
    )


def producer_objects(instance: EventStreamsInstance) -> tuple[Manifest, ...]:
    """Return what the REST producer's pods need before they start."""
    return (
        producer_access.rest_producer_service_account(instance),
        producer_access.rest_producer_role(instance),
        producer_access.rest_producer_role_binding(instance),
        producer_access.rest_producer_network_policy(instance),
    )


def has_to_grow(claim: Manifest, size: str) -> bool:
    """Tell whether a volume claim asks for less than `size`."""
    asked, wanted = number_of(claim_size(claim)), number_of(size)
    return asked is not None and wanted is not None and asked < wanted


def claim_size(claim: Manifest) -> str:
    """Return the size that a volume claim asks for."""
    return str(claim["spec"]["resources"]["requests"]["storage"])


def has_to_be_replaced(live: Manifest, pod: Manifest | None) -> bool:
    """Tell whether a broker's pod is outdated and may go.

    It may when it is Ready, or when its container does not run: then it serves nobody, and the new settings may be
    the cure. A broker that runs and is not Ready yet is checking its logs: to end it would only begin that anew.
    """
    status = live.get("status", {})
    is_current = status.get("observedGeneration") == live["metadata"]["generation"]
    if pod is None or not is_current or pod["metadata"].get("deletionTimestamp") is not None:
        return False
    revision = pod["metadata"].get("labels", {}).get("controller-revision-hash")
    is_outdated = bool(status.get("updateRevision")) and revision != status["updateRevision"]
    return is_outdated and (is_ready(pod) or not _runs(pod))


def demand_own_pod(live: Manifest, pod: Manifest) -> None:
    """Raise when a pod of a broker's name is not that of the StatefulSet `live`.

    RefusedError for one that somebody else made. NotYetError for one that a former StatefulSet of this name left:
    Kubernetes is about to collect it, or to give it to this one.
    """
    metadata = pod["metadata"]
    controller = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), None)
    if controller is not None and controller["uid"] == live["metadata"]["uid"]:
        return
    name = metadata["name"]
    if controller is None:
        is_left_over = live["spec"]["selector"]["matchLabels"].items() <= (metadata.get("labels") or {}).items()
    else:
        is_left_over = (controller["kind"], controller["name"]) == ("StatefulSet", live["metadata"]["name"])
    if is_left_over:
        raise NotYetError(Reason.KAFKA_STARTING, f"pod {name} is left from a former StatefulSet", delay=2)
    raise RefusedError(
        Reason.OBJECT_CONFLICT,
        f"Pod {name} exists and does not belong to this instance, it is not touched: delete or rename it",
    )


def is_ready(pod: Manifest | None) -> bool:
    """Tell whether a pod is Ready and stays."""
    if pod is None or pod["metadata"].get("deletionTimestamp") is not None:
        return False
    return any(one["type"] == "Ready" and one["status"] == "True" for one in _conditions(pod))


def why_not_ready(pod: Manifest | None) -> str:
    """Return one sentence on what a broker's pod waits for."""
    if pod is None:
        return "the broker's pod is being created"
    name = pod["metadata"]["name"]
    if pod["metadata"].get("deletionTimestamp") is not None:
        return f"broker {name} is being restarted"
    for one in _conditions(pod):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return f"pod {name} has no node: {one.get('message', 'no reason given')}"
    waiting = [one.get("state", {}).get("waiting") for one in pod.get("status", {}).get("containerStatuses") or ()]
    if reasons := [one["reason"] for one in waiting if one and one.get("reason") not in (None, "ContainerCreating")]:
        if reasons[0] == "CrashLoopBackOff":
            return f"broker {name} ends again and again; see kubectl logs {name} --previous"
        return f"pod {name} waits: {reasons[0]}; see kubectl describe pod {name}"
    return f"broker {name} is starting"


def rollout_of(instance: EventStreamsInstance, live: Manifest) -> Rollout:
    """Return how far the Deployment is. Raises NotYetError while no pod of it serves."""
    wanted = instance.spec.rest_producer.replicas
    status = live.get("status", {})
    available = int(status.get("availableReplicas", 0))
    held_up = _held_up(live)
    if wanted > 0 and available == 0:
        metadata = instance.metadata
        selector = f"{names.INSTANCE_LABEL}={metadata.name},{names.COMPONENT}={REST_PRODUCER}"
        why = f": {held_up}" if held_up else ""
        raise NotYetError(
            Reason.PRODUCER_STARTING,
            f"none of {wanted} REST producer pods serves yet{why}; see kubectl get pods -n {metadata.namespace} "
            f"-l {selector}",
        )
    is_complete = (
        status.get("observedGeneration") == live["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and available == wanted
    )
    return Rollout(wanted, available, is_complete, held_up)


def node_port_of(service: Manifest) -> int | None:
    """Return the port of the endpoint Service on every node, None when it has none."""
    ports = (one.get("nodePort") for one in service["spec"]["ports"] if one["name"] == "https")
    return next((port for port in ports if port), None)


def findings(problems: Mapping[str, Sequence[EventStreamsError]], rollout: Rollout | None) -> tuple[Finding, ...]:
    """Return every condition: of each part its first problem, of the whole the first that is a person's turn.

    `problems` has an entry for each part, empty when all is well with it.
    """
    parts = tuple(_part(condition, found) for condition, found in problems.items())
    everything = [error for found in problems.values() for error in found]
    refused = next((error for error in everything if isinstance(error, RefusedError)), None)
    waiting = next((error for error in everything if isinstance(error, NotYetError)), None)
    if refused is not None:
        return parts + conditions.refused(refused)
    if waiting is not None:
        return parts + conditions.not_yet(waiting, f"next attempt within {retry_after(everything):.0f} s")
    if rollout is not None and not rollout.is_complete:
        why = rollout.held_up or "a rollout is under way"
        message = f"{rollout.available} of {rollout.wanted} REST producer pods serve, {why}"
        rolling = Finding(conditions.RECONCILING, "True", Reason.PRODUCER_STARTING, message)
        return (*parts, *(one for one in conditions.ready() if one.type != rolling.type), rolling)
    return parts + conditions.ready()


def retry_after(errors: Sequence[EventStreamsError]) -> float:
    """Return the seconds until the next attempt: the shortest that an error asks for, 10 otherwise."""
    asked = [error.delay for error in errors if isinstance(error, NotYetError) and error.delay is not None]
    return min([*asked, RETRY_SECONDS])


def status_of(instance: EventStreamsInstance, facts: Facts) -> InstanceStatus:
    """Return the status, facts put in; the controller fills in conditions and observedGeneration."""
    old = instance.status
    certificates = old.certificates or CertificatesStatus()
    leaf = None if facts.endpoint_not_after is None else LeafStatus(not_after=facts.endpoint_not_after)
    bundle = old.ca_bundle
    if facts.ca_fingerprints is not None:
        name = names.ca_bundle(instance.metadata.name)
        bundle = CABundleStatus(config_map=name, fingerprints=facts.ca_fingerprints)
    kafka = old.kafka or KafkaStatus(mode="external" if instance.spec.kafka.external is not None else "managed")
    learnt: dict[str, Any] = {
        name: getattr(facts, name) for name in ("cluster_id", "brokers", "version", "storage_size")
    }
    return InstanceStatus(
        endpoints=old.endpoints if facts.endpoints is None else facts.endpoints,
        ca_bundle=bundle,
        certificates=CertificatesStatus(
            ca=facts.ca or certificates.ca,
            endpoint=leaf or certificates.endpoint,
        ),
        kafka=kafka.model_copy(update={key: value for key, value in learnt.items() if value is not None}),
    )


def _part(condition: str, problems: Sequence[EventStreamsError]) -> Finding:
    if not problems:
        return Finding(condition, "True", Reason.READY)
    return Finding(condition, "False", problems[0].reason, problems[0].message)


def _first_claim_size(live: Manifest | None) -> str | None:
    templates = (live or {}).get("spec", {}).get("volumeClaimTemplates") or ()
    return next((claim_size(one) for one in templates), None)


def _held_up(deployment: Manifest) -> str:
    """Return what a Deployment's conditions say of pods that cannot be made, else of a rollout that got stuck."""
    found = {(one["type"], one["status"]): one.get("message", "") for one in _conditions(deployment)}
    return found.get(("ReplicaFailure", "True")) or found.get(("Progressing", "False")) or ""


def _runs(pod: Manifest) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return any("running" in one.get("state", {}) for one in statuses)


def _conditions(live: Manifest) -> Sequence[Mapping[str, Any]]:
    return live.get("status", {}).get("conditions") or ()
