"""What every room is given: the outside worlds, and each kind's controller. Made once by main/operator.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from eventstreams.api.instance import EventStreamsInstance, InstanceStatus
from eventstreams.api.serviceid import ServiceID, ServiceIDStatus
from eventstreams.api.topic import Topic, TopicStatus
from eventstreams.core.apikey import Entropy
from eventstreams.core.clock import Clock
from eventstreams.core.errors import NotYetError
from eventstreams.core.key import Key
from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import API
from eventstreams.kube.client import Kube
from eventstreams.kube.reflector import Reflector
from eventstreams.runtime.controller import Controller
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.settings import OperatorSettings

if TYPE_CHECKING:
    from eventstreams.kafka.connections import Kafkas


@dataclass(frozen=True, slots=True)
class Context:
    """One operator process. `kube` is fenced: its changing calls end the process once the Lease is lost.

    `owned` watches what the operator made: Deployments, StatefulSets, Services, Pods and ConfigMaps with its label.
    """

    settings: OperatorSettings
    kube: Kube
    clock: Clock
    entropy: Entropy
    metrics: Metrics
    kafkas: "Kafkas"
    instances: Controller[EventStreamsInstance, InstanceStatus]
    topics: Controller[Topic, TopicStatus]
    service_ids: Controller[ServiceID, ServiceIDStatus]
    owned: Mapping[API, Reflector]

    def instance(self, key: Key) -> EventStreamsInstance:
        """Return an instance that is there to stay.

        Raises NotYetError for none, for one that does not fit the model and for one that is being deleted.
        """
        if not self.instances.store.has(key):
            raise NotYetError(
                Reason.INSTANCE_NOT_FOUND,
                f"there is no EventStreamsInstance {key.name} in namespace {key.namespace}: create it",
            )
        instance = self.instances.store.get(key)
        if instance is None:
            raise NotYetError(
                Reason.INSTANCE_NOT_READY,
                f"instance {key.name} cannot be read by this operator: its log says which fields it does not know",
            )
        if instance.metadata.deletion_timestamp is not None:
            raise NotYetError(
                Reason.INSTANCE_NOT_READY,
                f"instance {key.name} is being deleted: create it again when it is gone, or delete this resource",
            )
        return instance

    def __copy__(self) -> Self:
        """Kopf copies its memo for every object it sees: all share this one."""
        return self
