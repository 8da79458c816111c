"""The paths that take records, and whose convention each follows. Pure."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from eventstreams.producer import kafka_rest, request
from eventstreams.producer.answers import RefusalError, Shape
from eventstreams.producer.cloud_v2 import CloudV2, invalid
from eventstreams.producer.framing import Head
from eventstreams.producer.keys import Grant
from eventstreams.producer.limits import Limits
from eventstreams.producer.request import Asked, BatchOrder

_CLOUD_V2: Final = CloudV2()
_KAFKA_REST: Final = kafka_rest.FORMATS[b"application/vnd.kafka.json.v2+json"]
_TYPES: Final = ", ".join(name.decode() for name in kafka_rest.FORMATS)


class Route(NamedTuple):
    """A path, whose one group is the topic's name, and its convention; `shape` None is the contract's."""

    path: re.Pattern[bytes]
    order: Callable[[Head, str, Grant, Limits], Asked]
    shape: Shape | None = None
    takes_basic: bool = True


def find(head: Head) -> tuple[Route, str] | None:
    """Return the route and the topic that the path names, None when it is none of theirs."""
    path, _, _ = head.target.partition(b"?")
    for route in ROUTES:
        match = route.path.fullmatch(path)
        if match is not None:
            name: bytes = match[1]
            return route, (unquote_to_bytes(name) if b"%" in name else name).decode("utf-8", "replace")
    return None


def _kafka_rest(head: Head, topic: str, grant: Grant, limits: Limits) -> Asked:  # noqa: ARG001  the envelope says all
    request.check_topic(topic)
    given = request.media_type(head)
    if given in kafka_rest.SCHEMA_TYPES:
        raise RefusalError(415, f"{given.decode()} needs a schema registry, which this service does not have")
    form = kafka_rest.FORMATS.get(given)
    if form is None:
        raise RefusalError(
            415, f"the Content-Type is none of {_TYPES}; a record as it is goes to /topics/<topic>/records"
        )
    request.check_body(head)
    return BatchOrder(topic=topic, grant=grant, format=form)


def _cloud_v2(head: Head, topic: str, grant: Grant, limits: Limits) -> Asked:  # noqa: ARG001  the envelope says all
    request.check_topic(topic)
    if request.media_type(head) != b"application/json":
        raise RefusalError(415, "the Content-Type is not application/json, the only one here")
    request.check_body(head)
    _, mark, query = head.target.partition(b"?")
    if mark and b"serializer" in request.read_parameters(query):
        message = "there is no schema registry, so nothing for a serializer to do: leave it out"
        raise invalid(message, "unsupported_serializer", "serializer", "parameter")
    return BatchOrder(topic=topic, grant=grant, format=_CLOUD_V2)


ROUTES: Final = (
    Route(re.compile(rb"/topics/(.+)/records"), request.order),
    Route(re.compile(rb"/topics/([^/]+)"), _kafka_rest, _KAFKA_REST),
    Route(re.compile(rb"/v2/topics/(.+)/records"), _cloud_v2, _CLOUD_V2, takes_basic=False),
)
