"""Many records of one request: sent one after the other, then gathered into one answer."""

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.delivery import refusal_of
from eventstreams.producer.formats import Outcome
from eventstreams.producer.lane import Ticket
from eventstreams.producer.record import Record, Stored


class Batch:
    """Records on their way. `done` is called once, with one outcome for each record in their order."""

    __slots__ = ("_count", "_done", "_outcomes")

    def __init__(self, done: Callable[[Sequence[Outcome]], None]) -> None:
        self._count = 0
        self._done = done
        self._outcomes: dict[int, Outcome] = {}

    def send(self, records: Sequence[Record], send: Callable[[Record, Ticket], None]) -> None:
        """Give each record to `send`, and after one that it refuses by RefusalError none: that is the lot of the rest.

        So what is stored of a batch has no gap that sending made.
        """
        self._count = len(records)
        refused: RefusalError | None = None
        for index, record in enumerate(records):
            if refused is None:
                try:
                    send(record, _Place(self, index))
                except RefusalError as refusal:
                    refused = refusal.with_traceback(None)  # its frames hold the records
            if refused is not None:
                self.settle(index, refused)

    def settle(self, index: int, outcome: Outcome) -> None:
        """Note what became of a record."""
        outcomes = self._outcomes
        outcomes[index] = outcome
        if len(outcomes) == self._count:
            self._done([outcomes[each] for each in range(len(outcomes))])


class _Place:
    """One record's place in its batch: a Ticket."""

    __slots__ = ("_batch", "_index")

    def __init__(self, batch: Batch, index: int) -> None:
        self._batch = batch
        self._index = index

    def stored(self, partition: int, offset: int, timestamp_ms: int) -> None:
        self._batch.settle(self._index, Stored(partition, offset, timestamp_ms))

    def failed(self, error: KafkaError) -> None:
        self._batch.settle(self._index, refusal_of(error))
