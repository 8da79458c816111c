"""JSON as it arrives (RFC 8259): checked by C code, and never written anew.

What is to be stored is cut out of the text that was sent, so no digit of a number and no escape is lost.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Final, NoReturn, TypeVar

from eventstreams.producer.answers import RefusalError

T = TypeVar("T")


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class NotJSONError(Exception):
    """Why a text is no JSON: without a word of it."""


def _no_constant(name: str) -> NoReturn:  # noqa: ARG001  the decoder hands it in
    raise NotJSONError("it has neither NaN nor Infinity")


_CHECKER: Final = json.JSONDecoder(parse_constant=_no_constant, parse_int=len, parse_float=len)  # numbers only checked
_READER: Final = json.JSONDecoder(parse_constant=_no_constant, parse_int=Number, parse_float=Number)
_SPACE: Final = re.compile(r"[ \t\n\r]*+")
_GAP: Final = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")|[ \t\n\r]++')


def check_json(body: bytes, what: str = "the body") -> object:
    """Return `body` as Python's values but for its numbers, which only tell their length.

    Raises RefusalError 400 unless it is one JSON text in UTF-8; NaN and Infinity are none. `what` is for its message.
    """
    return _refusing(lambda: _CHECKER.decode(body.decode()), what)


def read_json(body: bytes, read: Callable[["Reader"], T]) -> T:
    """Return what `read` makes of the one JSON value that is in `body`. Raises RefusalError 400 as check_json does."""

    def whole() -> T:
        reader = Reader(body.decode())
        found = read(reader)
        reader.end()
        return found

    return _refusing(whole, "the body")


def _refusing(parse: Callable[[], T], what: str) -> T:
    try:
        return parse()
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos}"
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 at byte {error.start}"
    except NotJSONError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deeply"
    raise RefusalError(400, f"{what} is not JSON: {reason}") from None


class Reader:
    """Walks through one JSON text: `members` and `elements` stop before each value, which must then be taken."""

    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def is_object(self) -> bool:
        """Whether the next value is an object."""
        return self._next() == "{"

    @property
    def is_array(self) -> bool:
        """Whether the next value is an array."""
        return self._next() == "["

    def members(self) -> Iterator[str]:
        """Yield the name of each member of the object that is next."""
        self._expect("{", "{")
        if self._skip("}"):
            return
        while True:
            if self._next() != '"':
                raise self._fault('"')
            name = self.value()
            self._expect(":", ":")
            yield str(name)
            if self._skip("}"):
                return
            self._expect(",", ", or }")

    def elements(self) -> Iterator[None]:
        """Stop before each element of the array that is next."""
        self._expect("[", "[")
        if self._skip("]"):
            return
        while True:
            yield
            if self._skip("]"):
                return
            self._expect(",", ", or ]")

    def value(self) -> object:
        """Take the next value as Python's, numbers as Number."""
        self._next()
        found: object
        found, self._at = _READER.raw_decode(self._text, self._at)
        return found

    def written(self) -> tuple[object, bytes]:
        """Take the next value, also as it is written but for the white space between its tokens."""
        self._next()
        start = self._at
        found = self.value()
        return found, _GAP.sub(r"\1", self._text[start : self._at]).encode()

    def end(self) -> None:
        """Raise unless the text ends here."""
        if self._next():
            raise self._fault("the end")

    def _next(self) -> str:
        """Skip white space and return the character after it, nothing at the end."""
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing too
        return self._text[self._at : self._at + 1]

    def _skip(self, mark: str) -> bool:
        if self._next() != mark:
            return False
        self._at += 1
        return True

    def _expect(self, mark: str, words: str) -> None:
        if not self._skip(mark):
            raise self._fault(words)

    def _fault(self, expected: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(f"Expecting {expected}", self._text, self._at)
