"""What sets the routes apart: how a request's records are read, and how answers and errors are written.

A plain record is read and answered by the endpoint itself; the others each have a Format.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from eventstreams.producer.answers import RefusalError, Shape
from eventstreams.producer.limits import Limits
from eventstreams.producer.record import Attributes, Record, Stored

Outcome = Stored | RefusalError
"""What became of a record."""

Body = dict[str, Any]
"""A JSON object to be written."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Bounds(NamedTuple):
    """What the records of a request must keep to: `partitions` is how many the topic has."""

    limits: Limits
    partitions: int


class Format(Shape, Protocol):
    """How the requests of a route are read and answered; its content type is that of the answers. Has no state."""

    too_large: int
    """The status for a body above the limit."""

    def records(self, body: bytes, like: Attributes, bounds: Bounds) -> list[Record]:
        """Return the records of a body; what the body leaves open is as in `like`. Raises RefusalError."""
        ...

    def answer(self, topic: str, outcomes: Sequence[Outcome]) -> Body:
        """Return the body of the 200. Raises RefusalError where the route has another status for these outcomes."""
        ...


def check_partition(asked: Attributes, partitions: int) -> None:
    """Raise RefusalError 400 when a partition is asked for that the topic does not have."""
    if asked.partition >= partitions:
        last = partitions - 1
        raise RefusalError(400, f"the topic has no partition {asked.partition}: its partitions are 0 to {last}")


def metadata(topic: str, stored: Stored) -> Body:
    """Return where a record is, as the contract writes it."""
    moment = _EPOCH + timedelta(milliseconds=stored.timestamp_ms)
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"topic": topic, "timestamp": stamp, "partition": stored.partition, "offset": stored.offset}
