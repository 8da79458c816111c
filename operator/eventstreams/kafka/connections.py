"""One connection to Kafka for each instance: made, replaced and closed here."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final

from eventstreams.core.key import Key
from eventstreams.kafka.admin import TIMEOUT_SECONDS, Fence, KafkaAdmin, Record, no_fence, no_record
from eventstreams.kafka.config import KafkaConfig

_CLOSERS: Final = 2  # threads; closing takes no time but where a name server hangs


class Kafkas:
    """The admin connections of all instances, by the instance's key. Belongs to one event loop.

    Only the instance room connects and disconnects; the other rooms `get`. A handle is good for one reconcile: hold
    none longer, the next `get` may give another.
    """

    def __init__(
        self, *, fence: Fence = no_fence, timeout_seconds: float = TIMEOUT_SECONDS, record: Record = no_record
    ) -> None:
        self._admin = partial(KafkaAdmin, fence=fence, timeout_seconds=timeout_seconds, record=record)
        self._open: dict[Key, KafkaAdmin] = {}
        self._retiring: set[Future[None]] = set()
        self._pool = ThreadPoolExecutor(_CLOSERS, thread_name_prefix="kafka-close")

    def connect(self, instance: Key, config: KafkaConfig) -> KafkaAdmin:
        """Return the connection with this config; one with another config is closed after its calls."""
        before = self._open.get(instance)
        if before is not None and before.config == config:
            return before
        self._open[instance] = self._admin(config)
        if before is not None:
            self._retire(before)
        return self._open[instance]

    def get(self, instance: Key) -> KafkaAdmin | None:
        """Return the connection of an instance, None when nobody has connected it yet."""
        return self._open.get(instance)

    async def disconnect(self, instance: Key) -> None:
        """Close the connection of an instance that goes; return when its calls are done."""
        admin = self._open.pop(instance, None)
        if admin is not None:
            await asyncio.wrap_future(self._retire(admin))

    async def close(self) -> None:
        """Close every connection; return when all calls are done. No connection can be made after that."""
        for instance in tuple(self._open):
            self._retire(self._open.pop(instance))
        for retiring in tuple(self._retiring):
            await asyncio.wrap_future(retiring)
        self._pool.shutdown(wait=False)

    def _retire(self, admin: KafkaAdmin) -> "Future[None]":
        retiring = admin.retire(self._pool)
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
        return retiring
