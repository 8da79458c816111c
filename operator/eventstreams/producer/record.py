"""What Kafka is to store, and where it then is."""

from dataclasses import dataclass
from typing import Final, NamedTuple

Headers = list[tuple[str, bytes]]

ANY_PARTITION: Final = -1
"""The partition follows from the key, or is Kafka's client's to choose: what librdkafka calls unassigned."""
NOW: Final = 0
"""The timestamp is that of the moment: librdkafka reads 0 so, which makes the first millisecond of 1970 unsayable."""
LAST_TIMESTAMP_MS: Final = 253_402_300_799_999
"""The end of the year 9999, the last moment that RFC 3339 can write."""


@dataclass(slots=True)
class Attributes:
    """What a record has beside its value. A null `key` differs from an empty one."""

    key: bytes | None = None
    headers: Headers | None = None
    partition: int = ANY_PARTITION
    timestamp_ms: int = NOW


@dataclass(slots=True, kw_only=True)
class Record(Attributes):
    """One of the records that a request for many names."""

    value: bytes | None


class Stored(NamedTuple):
    """Where Kafka holds a record; `timestamp_ms` is the record's, Unix time in UTC."""

    partition: int
    offset: int
    timestamp_ms: int
