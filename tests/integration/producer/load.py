"""Clients that go on producing while something breaks, and the count of what became of each of their records.

    async with Load(producer, topic, key, seconds=5) as load:
        await load.goes_on()
        ...                                # what breaks
        await load.goes_on()
    load.check(kafka)

Each record is sent once and is unlike all others, so that Kafka's word can be held against the producer's.
"""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Set as AbstractSet
from types import TracebackType
from typing import Final, Self

import aiohttp
from confluent_kafka import Message

from eventstreams.core.apikey import ApiKey
from integration.producer.producer_process import ProducerProcess
from integration.producer.senders import Senders
from integration.producer.topics import records
from integration.waiting import eventually
from local.kafka import LocalKafka

CLOSED: Final = 0
"""Stands for the status where the connection ended without an answer."""
REFUSED: Final = -2
"""Stands for the status where nobody listened: the client then ends."""
HANGING: Final = -1
"""Stands for the status where neither an answer nor the end of the connection came in time."""

OUTAGE: Final = frozenset({200, 408, 503})
"""What may be answered while Kafka is in trouble."""

_PAUSE_SECONDS: Final = 0.02  # a steady stream, not a benchmark: the machine is for what breaks
_MARGIN_SECONDS: Final = 3.0  # deadlines are enforced each second; the rest is for a busy machine


class Load:
    """`clients` of one producer; `seconds` is its request timeout. `answers` has the status for each record's body."""

    def __init__(
        self,
        producer: ProducerProcess,
        topic: str,
        key: ApiKey,
        *,
        seconds: float,
        clients: int = 8,
        partition: int | None = None,
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._key = key
        self._query = "" if partition is None else f"partition={partition}"
        self._patience = seconds + _MARGIN_SECONDS
        self._clients = clients
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False
        self.answers: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self._clients)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let every request end."""
        self._is_ending = True
        await asyncio.gather(*self._tasks)

    async def goes_on(self, *, seconds: float = 20) -> None:
        """Return when a hundred more records are acknowledged."""
        await self.meets(200, times=100, seconds=seconds)

    async def meets(self, status: int, *, times: int = 1, seconds: float = 20) -> None:
        """Return when `status` was answered so often again."""
        least = self.statuses[status] + times

        async def met() -> bool:
            return self.statuses[status] >= least

        await eventually(met, f"{times} answers {status}", seconds=seconds)

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was answered so far."""
        return Counter(self.answers.values())

    def bodies(self, status: int) -> set[str]:
        """Return the records that were answered so."""
        return {body for body, answered in self.answers.items() if answered == status}

    def check(self, kafka: LocalKafka, *, allowed: AbstractSet[int] = OUTAGE) -> None:
        """Hold all answers against what Kafka has: nothing lost, nothing twice, no request without its answer.

        `allowed` are the statuses that may have been answered. Twice is what Kafka should have known as the same:
        librdkafka's own repetitions under a new epoch it cannot know (docs/reference/rest-api.md).
        """
        held: defaultdict[str, list[Message]] = defaultdict(list)
        for message in records(kafka, self._topic):
            held[(message.value() or b"").decode()].append(message)
        assert set(self.statuses) <= allowed, f"answers: {self.statuses}"
        assert self.bodies(200) - held.keys() == set(), "acknowledged, and not in Kafka"
        assert self.bodies(503) & held.keys() == set(), "answered as not stored, and in Kafka"
        repeated = {body: copies for body, copies in held.items() if len(copies) > 1}
        if repeated:
            assert 408 in allowed, f"in Kafka twice, though nothing timed out: {[*repeated]}"
            senders = Senders(kafka, self._topic)
            sent_twice = [body for body, copies in repeated.items() if not senders.are_repetitions(copies)]
            assert sent_twice == [], "sent once, and in Kafka twice"

    async def _client(self, number: int) -> None:
        for count in itertools.count():
            if self._is_ending:
                return
            body = f"{number}-{count}"
            self.answers[body] = await self._send(body)
            if self.answers[body] in {HANGING, REFUSED}:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _send(self, body: str) -> int:
        try:
            async with asyncio.timeout(self._patience):
                return (await self._producer.produce(self._topic, body.encode(), self._key, query=self._query)).status
        except TimeoutError:
            return HANGING
        except aiohttp.ClientConnectorError:
            return REFUSED
        except aiohttp.ClientConnectionError:
            return CLOSED
