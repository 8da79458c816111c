"""One pass over one instance: its objects, the time, and parts of which one may fail while others go on."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias, TypeVar

from eventstreams.api.instance import EventStreamsInstance
from eventstreams.core.errors import EventStreamsError
from eventstreams.core.key import Key
from eventstreams.instance.builders.producer_pods import KafkaAccess
from eventstreams.instance.identity import Identity
from eventstreams.instance.objects import Objects
from eventstreams.kafka.views import ClusterView
from eventstreams.kube.errors import ChangedError
from eventstreams.pki.certificates import KeyPair

T = TypeVar("T")

Part: TypeAlias = T | EventStreamsError
"""What a part came to: its result, or the error that held it up."""


@dataclass(frozen=True, slots=True)
class Work:
    """What every part needs. `now` is the one moment at which everything is judged."""

    instance: EventStreamsInstance
    objects: Objects
    now: datetime

    @property
    def key(self) -> Key:
        """The instance's key."""
        return Key(self.instance.metadata.namespace, self.instance.metadata.name)


@dataclass(frozen=True, slots=True)
class Trust:
    """The certificates that a Kafka of the instance's own is run with."""

    identity: Identity
    ca_pem: str
    broker: KeyPair | None


class KafkaMode(Protocol):
    """A way to come by a Kafka. Every method raises RefusedError or NotYetError."""

    async def available(self, work: Work, trust: Trust) -> ClusterView:
        """Bring Kafka to its declared state, connect to it, and return what answers: the right cluster."""
        ...

    async def access(self, work: Work, trust: Trust) -> KafkaAccess:
        """Return how the REST producer reaches Kafka; needs no answer from Kafka."""
        ...

    async def admit(self, work: Work, trust: Trust) -> None:
        """Have Kafka know the REST producer's user and its rights."""
        ...

    def forget(self, key: Key) -> None:
        """Drop what is remembered of an instance that is gone."""
        ...


async def attempt(part: Awaitable[T]) -> Part[T]:
    """Return what a part came to, or the error that is somebody's turn.

    ChangedError passes: what was read is old, and the whole pass has to begin anew.
    """
    try:
        return await part
    except ChangedError:
        raise
    except EventStreamsError as error:
        return error


def needed(part: Part[T]) -> T:
    """Return what an earlier part came to; raise its error where it failed, so that this part fails alike."""
    if isinstance(part, EventStreamsError):
        raise part
    return part


def problem(*parts: object) -> tuple[EventStreamsError, ...]:
    """Return the errors among parts, each once, in order."""
    return tuple(dict.fromkeys(part for part in parts if isinstance(part, EventStreamsError)))
