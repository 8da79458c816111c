"""Who sent a record, by the brokers' files: producer ID and epoch, of which no consumer is told."""

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Message

from local.kafka import LocalKafka

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")  # https://kafka.apache.org/documentation/#recordbatch
_PREFIX_BYTES: Final = 12  # offset and length, which the length leaves out


class Sender(NamedTuple):
    """A producer ID, of one client, and its epoch."""

    producer: int
    epoch: int


class Senders:
    """The senders of all records of a topic."""

    def __init__(self, kafka: LocalKafka, topic: str) -> None:
        self._by_place: dict[tuple[int, int], Sender] = {}
        for node in kafka.nodes:
            for segment in (kafka.directory / str(node) / "data").glob(f"{topic}-*/*.log"):
                partition = segment.parent.name.removeprefix(f"{topic}-")
                if partition.isdigit():  # else the partition is on its way to be deleted
                    for offset, sender in _read(segment.read_bytes()):
                        self._by_place[int(partition), offset] = sender

    def are_repetitions(self, copies: Sequence[Message]) -> bool:
        """Tell whether they are one record of one client, stored under several epochs: its time is the same.

        librdkafka does that: it begins a new epoch when a record times out, and sends anew what was under way
        (https://github.com/confluentinc/librdkafka/issues/4953).
        """
        senders = [self._by_place[copy.partition(), copy.offset()] for copy in copies]  # type: ignore[index]  # set on success
        is_one = len({(sender.producer, copy.timestamp()) for sender, copy in zip(senders, copies, strict=True)}) == 1
        return is_one and len(set(senders)) == len(senders)


def _read(segment: bytes) -> Iterator[tuple[int, Sender]]:
    at = 0
    while at + _HEADER.size <= len(segment):
        base, length, _, _, _, _, last, _, _, producer, epoch, _, _ = _HEADER.unpack_from(segment, at)
        for offset in range(base, base + last + 1):
            yield offset, Sender(producer, epoch)
        at += _PREFIX_BYTES + length
