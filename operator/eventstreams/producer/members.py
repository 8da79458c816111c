"""What the members of a JSON envelope may be, for every route that has one."""

import base64
import binascii
import re
from collections.abc import Collection, Iterator
from typing import Final

from eventstreams.producer.json_text import Number, Reader
from eventstreams.producer.limits import Limits
from eventstreams.producer.record import ANY_PARTITION, LAST_TIMESTAMP_MS, NOW, Headers

_PARTITION: Final = re.compile(r"[0-9]{1,9}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,15}")
_HEADER_BYTES: Final = 4


class MemberError(Exception):
    """Why a member is refused. Neither `name` nor `fault` holds anything of what was sent."""

    def __init__(self, name: str, fault: str, *, is_too_large: bool = False) -> None:
        super().__init__(f"{name} {fault}")
        self.name = name
        self.is_too_large = is_too_large


def members(reader: Reader, what: str, known: Collection[str]) -> Iterator[str]:
    """Yield the names of the object that is next, as Reader.members; each is one of `known` and comes once."""
    if not reader.is_object:
        raise MemberError(what, "is no object")
    seen = set()
    for name in reader.members():
        if name not in known:
            raise MemberError(what, f"has a member that is none of {', '.join(known)}")
        if name in seen:
            raise MemberError(name, "is given twice")
        seen.add(name)
        yield name


def text(value: object, name: str) -> bytes:
    """Return a string in UTF-8."""
    if type(value) is not str:
        raise MemberError(name, "is no string")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise MemberError(name, "has half of a surrogate pair, which is no character") from None


def base64_bytes(value: object, name: str) -> bytes:
    """Return the bytes of a string in base64 (RFC 4648 §4), padded, without line ends."""
    given = text(value, name)
    try:
        found = base64.b64decode(given, validate=True)
    except binascii.Error:
        raise MemberError(name, "is not base64") from None
    if len(given) != -(-len(found) // 3) * 4:  # Python takes padding where none is due
        raise MemberError(name, "is not base64")
    return found


def partition(value: object) -> int:
    """Return a partition's number; null is any."""
    if value is None:
        return ANY_PARTITION
    if not isinstance(value, Number) or _PARTITION.fullmatch(value) is None:
        raise MemberError("partition", "is no number of a partition, the first being 0")
    return int(value)


def timestamp(value: object) -> int:
    """Return a moment, in milliseconds since 1970; null is now."""
    if value is None:
        return NOW
    if isinstance(value, Number) and _TIMESTAMP.fullmatch(value) and 0 < int(value) <= LAST_TIMESTAMP_MS:
        return int(value)
    raise MemberError("timestamp", "is no number of milliseconds since 1970, in UTC, up to the year 9999")


def headers(reader: Reader, named: str, limits: Limits) -> Headers | None:
    """Read an array of {`named`: name, "value": base64}, or null."""
    if not reader.is_array:
        if reader.value() is None:
            return None
        raise MemberError("headers", "is no array")
    found: Headers = []
    size = 0
    for _ in reader.elements():
        given: dict[str, object] = {}
        for name in members(reader, "headers", (named, "value")):
            given[name] = reader.value()
        name = text(given.get(named), f"headers.{named}").decode()
        if not name:
            raise MemberError(f"headers.{named}", "is empty")
        if "\0" in name:  # librdkafka would cut it there
            raise MemberError(f"headers.{named}", "has a NUL")
        value = base64_bytes(given.get("value"), "headers.value")
        size += len(name.encode()) + len(value) + _HEADER_BYTES
        if size > limits.record_headers_bytes:
            raise MemberError("headers", f"are longer than {limits.record_headers_bytes} bytes", is_too_large=True)
        found.append((name, value))
    return found


def check_size(data: bytes | None, name: str, most: int) -> None:
    """Raise MemberError when the decoded key or value is larger than its limit."""
    if data is not None and len(data) > most:
        raise MemberError(name, f"has {len(data)} bytes, the limit is {most}", is_too_large=True)
