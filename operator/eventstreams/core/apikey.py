"""The text of an API key: `esk_<id>_<secret>_<check>`. This form is API for ever.

`id` is 8 of `[0-9a-z]` and public; `secret` is 256 random bits as 43 base62 characters, left-padded; `check` is the
CRC-32 (IEEE) of all before its underscore, as 6 base62 characters, so that leak scanners and the command line know
a key at sight. What is stored and published is the SHA-256 of the whole text: safe, because nobody guesses 256 bits.
"""

import hashlib
import re
import zlib
from dataclasses import dataclass
from typing import Final, NewType, Protocol

from typing_extensions import override

KeyId = NewType("KeyId", str)
Digest = NewType("Digest", str)
"""Lower-case hexadecimal SHA-256 of an API key's text."""

PATTERN: Final = re.compile(r"esk_([0-9a-z]{8})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})")
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Entropy(Protocol):
    """A source of random bytes: `secrets.token_bytes` in production, a counter in tests."""

    def __call__(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key in the clear. Its `repr` hides it: only `reveal` gives the text, and only a Secret may hold that."""

    id: KeyId
    _text: str

    def reveal(self) -> str:
        """Return the text of the key."""
        return self._text

    @property
    def digest(self) -> Digest:
        """The SHA-256 of the text, in hexadecimal."""
        return digest(self._text)

    @override
    def __repr__(self) -> str:
        return f"ApiKey(id={self.id!r}, ***)"


def mint(entropy: Entropy) -> ApiKey:
    """Make a new key from 40 bytes of `entropy`."""
    key_id = _digits(int.from_bytes(entropy(8)) % 36**8, _BASE36, 8)
    head = f"esk_{key_id}_{_digits(int.from_bytes(entropy(32)), _BASE62, 43)}"
    return ApiKey(KeyId(key_id), f"{head}_{_check(head)}")


def parse(text: str) -> ApiKey | None:
    """Return the key that `text` is, or None when its form or its check is wrong."""
    match = PATTERN.fullmatch(text)
    if match is None or _check(text[:-7]) != match[3]:
        return None
    return ApiKey(KeyId(match[1]), text)


def digest(text: str) -> Digest:
    """Return the SHA-256 of a presented key, in hexadecimal."""
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def _check(head: str) -> str:
    return _digits(zlib.crc32(head.encode()), _BASE62, 6)


def _digits(number: int, alphabet: str, width: int) -> str:
    out = []
    for _ in range(width):
        number, rest = divmod(number, len(alphabet))
        out.append(alphabet[rest])
    return "".join(reversed(out))
