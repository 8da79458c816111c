"""The volume claims of a managed Kafka: a StatefulSet does not let them grow, so the operator does."""

import logging
from dataclasses import dataclass

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.api.kafka import PersistentStorage
from eventstreams.core.errors import EventStreamsError, NotYetError, RefusedError
from eventstreams.core.reasons import Reason
from eventstreams.instance import plan
from eventstreams.instance.builders import kafka_node
from eventstreams.instance.builders.kafka_configuration import BROKERS
from eventstreams.instance.quantities import number_of
from eventstreams.kube.apis import PERSISTENT_VOLUME_CLAIMS, Manifest
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import ForbiddenError, InvalidError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Volumes:
    """The least that a broker's claim asks for, None before there is one, and why one does not ask for enough."""

    size: str | None = None
    problem: EventStreamsError | None = None


async def grow(kube: Kube, instance: EventStreamsInstance, storage: PersistentStorage) -> Volumes:
    """Have every claim ask for the declared size, and return what they ask for then.

    What cannot grow is in the result: the brokers serve with the volumes that they have.
    """
    sizes: list[str] = []
    problem: EventStreamsError | None = None
    for number in range(BROKERS):
        name = kafka_node.data_claim(instance, number)
        claim = await kube.get(PERSISTENT_VOLUME_CLAIMS, instance.metadata.namespace, name)
        if claim is None:
            continue
        try:
            if plan.has_to_grow(claim, storage.size):
                claim = await _grown(kube, claim, storage.size)
        except EventStreamsError as error:
            problem = problem or error
        sizes.append(plan.claim_size(claim))
    return Volumes(min(sizes, key=lambda size: number_of(size) or 0, default=None), problem)


async def _grown(kube: Kube, claim: Manifest, size: str) -> Manifest:
    """Return the claim with another size. Raises RefusedError where storage class or quota do not allow it."""
    name, namespace = claim["metadata"]["name"], claim["metadata"]["namespace"]
    if claim["status"].get("phase") != "Bound":
        raise NotYetError(Reason.RECONCILING, f"volume claim {name} has no volume yet, it grows when it has")
    body = {"spec": {"resources": {"requests": {"storage": size}}}}
    try:
        grown = await kube.patch(PERSISTENT_VOLUME_CLAIMS, namespace, name, body)
    except (ForbiddenError, InvalidError) as error:
        raise RefusedError(
            Reason.OBJECT_REFUSED,
            f"volume claim {name} has {plan.claim_size(claim)} and cannot grow to {size}: set allowVolumeExpansion on "
            f"its StorageClass, or set the size back; {error}",
        ) from error
    logger.info("Grew volume claim", extra={"namespace": namespace, "claim": name, "size": size})
    return grown
