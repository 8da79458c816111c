"""Version 2 of the cloud's REST producer: one record in an envelope whose key and value name their types."""

from collections.abc import Sequence
from typing import Final

from eventstreams.producer import members
from eventstreams.producer.answers import JSON, RefusalError
from eventstreams.producer.formats import Body, Bounds, Outcome, metadata
from eventstreams.producer.json_text import Reader, read_json
from eventstreams.producer.members import MemberError
from eventstreams.producer.record import Attributes, Record

MORE_INFO: Final = "/openapi.json"

_CODES: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    411: "no_data",
    415: "unsupported_media_type",
    500: "internal_error",
    429: "too_many_requests",
    503: "unavailable",
}
_ENVELOPE: Final = ("headers", "key", "value")
_TYPED: Final = ("type", "data", "schema", "schema_name_strategy")


class CloudV2:
    """See the head of this module."""

    content_type = JSON
    too_large = 400

    def records(self, body: bytes, like: Attributes, bounds: Bounds) -> list[Record]:  # noqa: ARG002  an envelope says all
        """Return the one record of the envelope."""
        try:
            return [read_json(body, lambda reader: _envelope(reader, bounds))]
        except MemberError as error:
            raise invalid(str(error), "too_large" if error.is_too_large else "invalid_field", error.name) from None

    def answer(self, topic: str, outcomes: Sequence[Outcome]) -> Body:
        """Return where the record is, as version 1 does."""
        (outcome,) = outcomes
        if isinstance(outcome, RefusalError):
            raise outcome
        return {"metadata": metadata(topic, outcome)}

    def error(self, refusal: RefusalError, incident: str) -> Body:
        """Return the cloud's error body. `trace` is the incident, which the producer's log has too."""
        code = _CODES.get(refusal.status, "invalid_request")
        return {
            "trace": incident,
            "error": {"code": code, "message": refusal.message, "more_info": MORE_INFO, **refusal.details},
        }


def invalid(message: str, code: str, name: str, kind: str = "field") -> RefusalError:
    """Return the refusal of a part of the request, which it points at."""
    return RefusalError(400, message, details={"code": code, "target": {"type": kind, "name": name}})


def _envelope(reader: Reader, bounds: Bounds) -> Record:
    record = Record(value=None)
    for name in members.members(reader, "the body", _ENVELOPE):
        match name:
            case "headers":
                record.headers = members.headers(reader, "name", bounds.limits)
            case "key":
                record.key = _typed(reader, name)
            case "value":
                record.value = _typed(reader, name)
    if record.value is None:
        raise MemberError("value", "is missing")
    members.check_size(record.key, "key", bounds.limits.key_bytes)
    members.check_size(record.value, "value", bounds.limits.message_bytes)
    return record


def _typed(reader: Reader, name: str) -> bytes | None:
    """Read {"type": …, "data": …}, or null."""
    if not reader.is_object:
        if reader.value() is not None:
            raise MemberError(name, "is no object")
        return None
    kind: object = None
    data: tuple[object, bytes] | None = None
    for member in members.members(reader, name, _TYPED):
        if member == "data":
            data = reader.written()
        elif member == "type":
            kind = reader.value()
        else:
            reader.value()  # of avro alone, which is refused for its type
    kind = kind.lower() if isinstance(kind, str) else None
    if kind == "avro":
        raise invalid(
            f"the type of {name} is avro: there is no schema registry, encode it and send binary",
            "invalid_type",
            "type",
        )
    if kind not in {"text", "binary", "json"}:
        raise invalid(f"the type of {name} is none of text, binary and JSON", "invalid_type", "type")
    if data is None:
        raise MemberError("data", f"of {name} is missing")
    value, written = data
    if kind == "json":
        return written
    return members.text(value, "data") if kind == "text" else members.base64_bytes(value, "data")
