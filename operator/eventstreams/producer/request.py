"""What a request asks for, by the contract's v1 rules. Pure: a head in, a value or a refusal out.

The endpoint calls `order` (400, 404, 411, 415) when it knows the key and its right to the topic.
"""

import binascii
import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final
from urllib.parse import unquote_to_bytes

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.formats import Format
from eventstreams.producer.framing import Head
from eventstreams.producer.keys import Grant
from eventstreams.producer.limits import Limits
from eventstreams.producer.ndjson import NDJSON
from eventstreams.producer.record import ANY_PARTITION, LAST_TIMESTAMP_MS, NOW, Attributes, Headers

TOPIC_NAME: Final = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}", re.ASCII)

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ONCE: Final = frozenset({b"key", b"keyType", b"headers", b"partition", b"timestamp"})
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_PARAMETERS: Final = re.compile(rb'(?:[^",]|"(?:[^"\\]|\\.)*")*')
_HEX: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})*")


class Rule(Enum):
    """What a content type demands of its body."""

    SIZED = "a Content-Length, against truncation"
    JSON = "must parse as JSON"
    LINES = "each line must parse as JSON"
    FREE = "nothing"


_RULES: Final = {
    b"text/plain": Rule.SIZED,
    b"application/octet-stream": Rule.SIZED,
    b"application/json": Rule.JSON,
    b"application/x-ndjson": Rule.LINES,
    b"text/xml": Rule.FREE,
    b"application/xml": Rule.FREE,
    b"vnd.ibm-event-streams.text.v1": Rule.SIZED,
    b"vnd.ibm-event-streams.binary.v1": Rule.SIZED,
    b"vnd.ibm-event-streams.json.v1": Rule.JSON,
}
_RULES_BY_TYPE: Final = _RULES | {b"application/" + name: _RULES[name] for name in _RULES if name.startswith(b"vnd.")}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FORM: Final = b"application/x-www-form-urlencoded"
_LINES: Final = NDJSON()


@dataclass(slots=True, kw_only=True)
class Asked(Attributes):
    """What a head asks for, by whom. Nobody changes it once it is made: requests with equal heads may share it."""

    topic: str
    grant: Grant


@dataclass(slots=True, kw_only=True)
class Order(Asked):
    """To store the body, when that is there, as one record."""

    is_json: bool


@dataclass(slots=True, kw_only=True)
class BatchOrder(Asked):
    """To store the records that `format` finds in the body."""

    format: Format


def order(head: Head, topic: str, grant: Grant, limits: Limits) -> Order | BatchOrder:
    """Return what is to be produced. Raises RefusalError 400, 404 (what is no topic's name, schema), 411 or 415."""
    check_topic(topic)
    rule = _rule(head)
    check_body(head, is_sized=rule is Rule.SIZED)
    asked: Order | BatchOrder
    if rule is Rule.LINES:
        asked = BatchOrder(topic=topic, grant=grant, format=_LINES)
    else:
        asked = Order(topic=topic, grant=grant, is_json=rule is Rule.JSON)
    _, mark, query = head.target.partition(b"?")
    if mark:
        read_query(query, asked, limits)
    return asked


def check_topic(topic: str) -> None:
    """Raise RefusalError 404 for what can be no topic's name."""
    if TOPIC_NAME.fullmatch(topic) is None:
        raise RefusalError(404, "the path names no topic: a name is 1 to 249 of the characters a-z A-Z 0-9 . _ -")


def check_body(head: Head, *, is_sized: bool = False) -> None:
    """Raise RefusalError 415 for a coded body, 411 for none, or with `is_sized` for one without Content-Length."""
    if head.fields.get(b"content-encoding", b"identity").lower() != b"identity":
        raise RefusalError(415, "the body has a Content-Encoding, which is not taken off here: send it without")
    if head.length == 0 or (head.length is None and (not head.chunked or is_sized)):
        raise RefusalError(411, "the request has no data: send a body with its Content-Length")


def read_query(query: bytes, asked: Attributes, limits: Limits) -> None:
    """Fill `asked` with what the query says. Raises RefusalError 400 or 404 (schema)."""
    parameters = read_parameters(query)
    if b"schemaname" in parameters:
        raise RefusalError(404, "no schema of that name: this service has no schema registry, leave schemaname out")
    asked.key, asked.headers = _key(parameters, limits), _headers(parameters.get(b"headers"))
    asked.partition, asked.timestamp_ms = _partition(parameters), _timestamp(parameters)


def media_type(head: Head) -> bytes:
    """Return the Content-Type in lower case, without its parameters; two that were given are no type."""
    given = head.fields.get(b"content-type", b"")
    name, _, parameters = given.partition(b";")
    return name.strip(b" \t").lower() if _PARAMETERS.fullmatch(parameters) else given


def _rule(head: Head) -> Rule:
    given = media_type(head)
    rule = _RULES_BY_TYPE.get(given)
    if rule is None:
        cure = "send Content-Type: text/plain or application/json, with curl: -H 'Content-Type: text/plain'"
        if given == _FORM:
            raise RefusalError(415, f"the Content-Type is a form's, which curl sends by itself with -d: {cure}")
        raise RefusalError(415, f"the Content-Type is missing or not known: {cure}")
    return rule


def read_parameters(query: bytes) -> dict[bytes, bytes]:
    """Return the query's parameters, names decoded and values raw. Unknown names are left to the caller."""
    found: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        name = _form(name, "the query")
        if name in found and name in _ONCE:
            raise RefusalError(400, f"the parameter {name.decode()} is given twice: give it once")
        found[name] = value
    return found


def _form(raw: bytes, what: str) -> bytes:
    """Decode application/x-www-form-urlencoded text: + is a space. Raises RefusalError 400 for a lone %."""
    if _BAD_ESCAPE.search(raw):
        raise RefusalError(400, f"{what} is not percent-encoded: write % as %25")
    return unquote_to_bytes(raw.replace(b"+", b" "))


def _key(parameters: dict[bytes, bytes], limits: Limits) -> bytes | None:
    kind = _form(parameters.get(b"keyType", b"text"), "keyType")
    if kind not in {b"text", b"binary"}:
        raise RefusalError(400, "keyType is neither text nor binary")
    raw = parameters.get(b"key")
    if raw is None:
        return None
    key = _form(raw, "key")
    if kind == b"binary":
        if _HEX.fullmatch(key) is None:
            raise RefusalError(400, "key is not hexadecimal of even length, as keyType=binary demands")
        key = binascii.unhexlify(key)
    if len(key) > limits.key_bytes:
        raise RefusalError(400, f"the key has {len(key)} bytes, the limit is {limits.key_bytes}")
    return key


def _partition(parameters: dict[bytes, bytes]) -> int:
    raw = parameters.get(b"partition")
    if raw is None:
        return ANY_PARTITION
    text = _form(raw, "partition")
    if _NUMBER.fullmatch(text) is None:
        raise RefusalError(400, "partition is no number: leave it out, or name one of the topic's, the first being 0")
    return int(text)


def _timestamp(parameters: dict[bytes, bytes]) -> int:
    """Read milliseconds since 1970, or RFC 3339, whose finer digits are cut off."""
    raw = parameters.get(b"timestamp")
    if raw is None:
        return NOW
    text = _form(raw, "timestamp")
    moment = int(text) if _NUMBER.fullmatch(text) else _moment(text)
    if not 0 < moment <= LAST_TIMESTAMP_MS:
        raise RefusalError(400, "timestamp is outside the years 1970 to 9999: give milliseconds since 1970, in UTC")
    return moment


def _moment(text: bytes) -> int:
    """Return RFC 3339 text as milliseconds since 1970."""
    written = text.decode("latin-1")
    if _MOMENT.fullmatch(written):
        with contextlib.suppress(ValueError, OverflowError):  # the 30th of February
            return (datetime.fromisoformat(written.upper()) - _EPOCH) // _MILLISECOND
    raise RefusalError(
        400, "timestamp is neither milliseconds since 1970 nor RFC 3339, as 2026-11-23T08:53:20.045Z (+ is %2B)"
    )


def _headers(raw: bytes | None) -> Headers | None:
    """Read `name:hex,name:hex`. Separators count before decoding; without any, they are looked for after it."""
    if not raw:
        return None
    separated = b":" in raw
    text = raw if separated else _form(raw, "headers")  # a client library that encodes everything
    headers: Headers = []
    for pair in text.split(b","):
        plain, colon, digits = pair.partition(b":")
        if separated:
            plain, digits = _form(plain, "headers"), _form(digits, "headers")
        if not plain or not colon or _HEX.fullmatch(digits) is None:
            raise RefusalError(
                400, "headers is not name:value,name:value with each value in hexadecimal of even length"
            )
        if b"\0" in plain:  # librdkafka would cut it there
            raise RefusalError(400, "a name in headers has a NUL, which no header of Kafka's can")
        try:
            headers.append((plain.decode(), binascii.unhexlify(digits)))
        except UnicodeDecodeError:
            raise RefusalError(400, "a name in headers is not UTF-8") from None
    return headers
