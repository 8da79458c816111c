"""Who asks: the API key that a request presents. Pure."""

import base64
import binascii
from typing import Final, NamedTuple

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.framing import Head

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="event streams", Basic realm="event streams"'}
BEARER_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="event streams"'}


class Credentials(NamedTuple):
    """A presented API key; `username` is None for Bearer."""

    key: bytes
    username: bytes | None


def credentials(head: Head, *, takes_basic: bool = True) -> Credentials:
    """Return the API key of the Authorization field. Raises RefusalError 401 when there is none that can be read."""
    given = head.fields.get(b"authorization")
    if given is None:
        raise unauthorized("this needs an API key: send the header field Authorization: Bearer <api_key>")
    scheme, _, value = given.partition(b" ")
    value = value.strip(b" ")
    match scheme.lower():
        case b"bearer":
            return Credentials(value, None)
        case b"basic" if takes_basic:
            try:
                username, _, key = base64.b64decode(value, validate=True).partition(b":")
            except binascii.Error:
                raise unauthorized("the Basic credentials are not base64 of <user>:<api_key>") from None
            return Credentials(key, username)
        case _:
            further = ", or Basic with user token" if takes_basic else ""
            raise unauthorized(f"the Authorization header field must be Bearer <api_key>{further}")


def unauthorized(message: str) -> RefusalError:
    """Return a 401 with its challenge (RFC 9110 §11.6.1)."""
    return RefusalError(401, message, headers=CHALLENGE)
