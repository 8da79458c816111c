"""JSON as it arrives (RFC 8259): checked by C code, never written anew."""

import json
from typing import Final, NoReturn

from eventstreams.producer.answers import RefusalError


class _ConstantError(Exception):
    """NaN, Infinity or -Infinity was met."""


def _no_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


_CHECKER: Final = json.JSONDecoder(parse_constant=_no_constant, parse_int=len, parse_float=len)  # numbers only checked


def check_json(body: bytes) -> object:
    """Return `body` as Python's values but for its numbers, which only tell their length.

    Raises RefusalError 400 unless it is one JSON text in UTF-8; NaN and Infinity are none.
    """
    try:
        value: object = _CHECKER.decode(body.decode())
    except json.JSONDecodeError as error:
        raise RefusalError(400, f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except UnicodeDecodeError as error:
        raise RefusalError(400, f"the body is not JSON: not UTF-8 at byte {error.start}") from None
    except _ConstantError:
        raise RefusalError(400, "the body is not JSON, which has neither NaN nor Infinity") from None
    except RecursionError:
        raise RefusalError(400, "the body is nested too deeply to be checked as JSON") from None
    return value
