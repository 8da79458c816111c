"""Our own server with a part replaced, for what cannot be had otherwise.

    python -m perf.ours known-topics    the mock has no controller, which the topic map wants to ask: take all as known
    python -m perf.ours no-kafka        and the delivery answers by itself: the floor of the front end
    python -m perf.ours no-kafka no-auth | no-metrics | access-log    and one feature less, or more: what it costs
    python -m perf.ours watching        the cluster that BENCH_CLUSTER describes, as if this were a pod of it
    python -m perf.ours crowd=N         records in flight of one owner from which they wait for company
    python -m perf.ours throng=N        and from which they wait longer

Each replacement is one attribute, named where it is set.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from typing_extensions import override

from eventstreams.main import producer
from eventstreams.producer import delivery, server
from eventstreams.producer.cluster import Cluster
from eventstreams.producer.endpoint import Endpoint, Pending
from eventstreams.producer.keys import Grant, Keys
from eventstreams.producer.metrics import Tally
from eventstreams.producer.topic_map import TopicMap
from eventstreams.producer.turns import Turns
from perf.brokers import PARTITIONS
from perf.servers import CLUSTER_VARIABLE

logger = logging.getLogger("eventstreams.producer.access")


class KnownTopics(TopicMap):
    """Every topic exists."""

    @override
    def find(self, _topic: str) -> int | None:
        return PARTITIONS

    @override
    async def keep(self) -> None:
        await asyncio.Event().wait()

    @property
    @override
    def is_away(self) -> bool:
        return False

    @property
    @override
    def has_answered(self) -> bool:
        return True


class NoKafka:
    """A delivery that reports in the loop's next round, all records of a round together, as a poll's reports are."""

    is_ready = True
    is_stuck = False

    def __init__(self, _config: object, loop: asyncio.AbstractEventLoop, turns: Turns) -> None:
        self._loop = loop
        self._turns = turns
        self._tickets: deque[Pending] = deque()
        self._offset = 0

    def send(self, *arguments: Any) -> "NoKafka":
        """Take a record as `Delivery.send` does; only the ticket counts."""
        if not self._tickets:
            self._loop.call_soon(self._settle)
        self._tickets.append(next(one for one in reversed(arguments) if isinstance(one, Pending)))
        return self

    @property
    def in_flight(self) -> int:
        return len(self._tickets)

    async def close(self, _seconds: float) -> bool:
        return True

    def refresh(self, _topic: str) -> None: ...

    def _settle(self) -> None:
        now = int(time.time() * 1000)
        self._turns.begin_reports(gives_way=False)
        while self._tickets:
            self._offset += 1
            self._tickets.popleft().stored(0, self._offset, now)
        self._turns.end_reports()


def known_topics() -> None:
    setattr(server, "TopicMap", KnownTopics)  # noqa: B010  a replaced name is no type


def no_kafka() -> None:
    known_topics()
    setattr(server, "Delivery", NoKafka)  # noqa: B010


def no_auth() -> None:
    """Take the first key that is presented for everybody's."""
    found: list[Grant] = []
    find = Keys.find

    def any_key(self: Keys, presented: Any) -> Grant:
        if not found:
            found.append(find(self, presented))
        return found[0]

    setattr(Keys, "find", any_key)  # noqa: B010


def no_metrics() -> None:
    setattr(Tally, "answered", lambda *_: None)  # noqa: B010


def access_log() -> None:
    """Write a line for each answer."""
    answered = Endpoint.answered

    def logged(self: Endpoint, status: int, seconds: float) -> None:
        answered(self, status, seconds)
        logger.info("Answered", extra={"status": status, "seconds": round(seconds, 6)})

    setattr(Endpoint, "answered", logged)  # noqa: B010


def watching() -> None:
    """Take the API server from a variable: {"server": URL, "ca_file": PATH, "token_file": PATH}."""
    place = json.loads(os.environ[CLUSTER_VARIABLE])
    url = urlsplit(place["server"])
    cluster = Cluster(url.hostname or "", url.port or 0, Path(place["ca_file"]), Path(place["token_file"]))
    setattr(Cluster, "of_pod", staticmethod(lambda: cluster))  # noqa: B010


def crowd(records: int) -> None:
    setattr(delivery, "CROWD", records)  # noqa: B010
    setattr(delivery, "QUICK_MOST", max(records, delivery.QUICK_MOST))  # noqa: B010


def throng(records: int) -> None:
    setattr(delivery, "THRONG", records)  # noqa: B010


BOUNDS: Final[dict[str, Callable[[int], None]]] = {"crowd": crowd, "throng": throng}
CHANGES: Final[dict[str, Callable[[], None]]] = {
    "known-topics": known_topics,
    "watching": watching,
    "no-kafka": no_kafka,
    "no-auth": no_auth,
    "no-metrics": no_metrics,
    "access-log": access_log,
}

if __name__ == "__main__":
    for change in sys.argv[1:]:
        name, _, value = change.partition("=")
        if value:
            BOUNDS[name](int(value))
        else:
            CHANGES[name]()
    sys.exit(producer.main([]))
