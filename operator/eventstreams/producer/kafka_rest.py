"""The convention of Kafka's REST proxies, version 2: an envelope of records, answered with an offset for each.

Read from the public references of Confluent's REST Proxy and of Strimzi's HTTP Bridge, which adds `headers`,
`timestamp` and the text format. JSON keys and values are stored compact, as there; but their text is what was sent,
without the white space between its tokens: no number or escape is written anew.
"""

from collections.abc import Callable, Sequence
from typing import Final

from eventstreams.producer import members
from eventstreams.producer.answers import RefusalError
from eventstreams.producer.formats import Body, Bounds, Outcome
from eventstreams.producer.json_text import Reader, read_json
from eventstreams.producer.members import MemberError
from eventstreams.producer.record import Attributes, Record, Stored

PARTITION_NOT_FOUND: Final = 40402
KAFKA_ERROR: Final = 50002
RETRIABLE_KAFKA_ERROR: Final = 50003

_CODES: Final = {401: 40101, 403: 40301, 404: 40401, 503: RETRIABLE_KAFKA_ERROR}
_OUTCOME_CODES: Final = {404: 40401, 408: RETRIABLE_KAFKA_ERROR, 503: RETRIABLE_KAFKA_ERROR}
_ENVELOPE: Final = ("records", "key_schema", "key_schema_id", "value_schema", "value_schema_id")
_RECORD: Final = ("key", "value", "partition", "headers", "timestamp")

Embedded = Callable[[Reader, str], bytes | None]
"""Takes a key or a value from the reader; the text is its name."""


def _json(reader: Reader, name: str) -> bytes | None:  # noqa: ARG001  every JSON is one
    value, written = reader.written()
    return None if value is None else written


def _binary(reader: Reader, name: str) -> bytes | None:
    value = reader.value()
    return None if value is None else members.base64_bytes(value, name)


def _text(reader: Reader, name: str) -> bytes | None:
    value = reader.value()
    return None if value is None else members.text(value, name)


class KafkaREST:
    """See the head of this module."""

    content_type = "application/vnd.kafka.v2+json"
    too_large = 413

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded

    def records(self, body: bytes, like: Attributes, bounds: Bounds) -> list[Record]:  # noqa: ARG002  an envelope says all
        """Return the records of an envelope. A null value stays null: a tombstone."""
        try:
            found = read_json(body, lambda reader: self._envelope(reader, bounds))
        except MemberError as error:
            raise RefusalError(self.too_large if error.is_too_large else 422, f"{error}; no record was sent") from None
        if not found:
            raise RefusalError(422, "the envelope has no records")
        return found

    def answer(self, topic: str, outcomes: Sequence[Outcome]) -> Body:  # noqa: ARG002  the convention does not repeat it
        """Return an offset or an error for each record."""
        return {"offsets": [_offset(outcome) for outcome in outcomes], "key_schema_id": None, "value_schema_id": None}

    def error(self, refusal: RefusalError, incident: str) -> Body:  # noqa: ARG002  the convention has no place for it
        """Return the convention's error body; the code is five digits long where the references have one."""
        code = _CODES.get(refusal.status, refusal.status)
        return {"error_code": code, "message": refusal.message, **refusal.details}

    def _envelope(self, reader: Reader, bounds: Bounds) -> list[Record]:
        found: list[Record] = []
        for name in members.members(reader, "the body", _ENVELOPE):
            if name == "records":
                found = self._records(reader, bounds)
            elif reader.value() is not None:
                raise MemberError(name, "needs a schema registry, which this service does not have")
        return found

    def _records(self, reader: Reader, bounds: Bounds) -> list[Record]:
        if not reader.is_array:
            raise MemberError("records", "is no array")
        most = bounds.limits.request_records
        found: list[Record] = []
        for _ in reader.elements():
            if len(found) == most:
                raise MemberError("records", f"are more than the limit of {most}", is_too_large=True)
            found.append(self._numbered(reader, bounds, len(found)))
        return found

    def _numbered(self, reader: Reader, bounds: Bounds, index: int) -> Record:
        """Read a record; what is wrong with it is told with its number."""
        try:
            record = self._record(reader, bounds)
        except MemberError as error:
            raise MemberError(f"records[{index}]:", str(error), is_too_large=error.is_too_large) from None
        if record.partition >= bounds.partitions:
            message = f"records[{index}]: the topic has no such partition, the last is {bounds.partitions - 1}"
            raise RefusalError(404, f"{message}; no record was sent", details={"error_code": PARTITION_NOT_FOUND})
        return record

    def _record(self, reader: Reader, bounds: Bounds) -> Record:
        record, has_value = Record(value=None), False
        for name in members.members(reader, "the record", _RECORD):
            match name:
                case "key":
                    record.key = self._embedded(reader, name)
                case "value":
                    record.value, has_value = self._embedded(reader, name), True
                case "headers":
                    record.headers = members.headers(reader, "key", bounds.limits)
                case "partition":
                    record.partition = members.partition(reader.value())
                case "timestamp":
                    record.timestamp_ms = members.timestamp(reader.value())
        if not has_value:
            raise MemberError("value", "is missing: write null for a tombstone")
        members.check_size(record.key, "key", bounds.limits.key_bytes)
        members.check_size(record.value, "value", bounds.limits.message_bytes)
        return record


def _offset(outcome: Outcome) -> Body:
    if isinstance(outcome, Stored):
        return {"partition": outcome.partition, "offset": outcome.offset, "error_code": None, "error": None}
    code = _OUTCOME_CODES.get(outcome.status, KAFKA_ERROR)
    return {"partition": None, "offset": None, "error_code": code, "error": outcome.message}


FORMATS: Final = {
    b"application/vnd.kafka.json.v2+json": KafkaREST(_json),
    b"application/vnd.kafka.binary.v2+json": KafkaREST(_binary),
    b"application/vnd.kafka.text.v2+json": KafkaREST(_text),
}
"""By content type."""

SCHEMA_TYPES: Final = frozenset(
    b"application/vnd.kafka.%b.v2+json" % name for name in (b"avro", b"protobuf", b"jsonschema")
)
"""Content types that need a schema registry."""
