"""Who may use an instance: the one place that decides it, for topics and service IDs alike.

Today an instance serves its own namespace and nobody else; grants to other namespaces (`tenants[]`) will be decided
here and nowhere else.
"""

from dataclasses import dataclass

from eventstreams.core.errors import RefusedError
from eventstreams.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class InstanceRef:
    """An instance by namespace and name, the namespace filled in."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a tenant's resource asks for: topic names or patterns, from the namespace it lives in."""

    namespace: str
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """What is granted: the topic names or patterns that remain of a request."""

    topics: tuple[str, ...]


def consent(instance: InstanceRef, request: Request) -> Grant:
    """Return what `instance` grants to `request`.

    Raises RefusedError when the namespace may not use the instance, or a name begins with `__` (Kafka's own).
    """
    if request.namespace != instance.namespace:
        raise RefusedError(
            Reason.NOT_PERMITTED,
            f"instance {instance.name} serves its own namespace {instance.namespace}, "
            f"this resource is in {request.namespace}: create it in {instance.namespace}",
        )
    reserved = [topic for topic in request.topics if topic.startswith("__")]
    if reserved:
        raise RefusedError(
            Reason.ACCESS_REFUSED,
            f"topic {reserved[0]} is Kafka's own, names that begin with __ are never granted: remove it",
        )
    return Grant(request.topics)
