"""What fuzzing starts from: streams that reach something new, streams that once broke an invariant, cases, words."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from unit.producer.http_cases import cases, spellings
from unit.producer.wire_oracle import rules

CORPUS: Final = Path(__file__).parent / "corpus"
CRASHES: Final = Path(__file__).parent / "crashes"
_WORDS: Final = (
    b"POST /topics/orders/records HTTP/1.1\r\nHost: es\r\n",
    b"Content-Type: application/json\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"GET / HTTP/1.1\r\nHost: es\r\n\r\n",
    b"HTTP/1.0",
    b"?key=a&keyType=binary&headers=b:00&partition=1&timestamp=1",
    b"\r\n\r\n",
    b"0\r\n\r\n",
)


def kept() -> list[Path]:
    """Return the files whose streams the unit tests replay."""
    return sorted(path for directory in (CORPUS, CRASHES) for path in directory.iterdir())


def write_seeds(directory: Path) -> None:
    """Write each case, and each reason to differ from h11, as a file that its content names."""
    for stream in _seeds():
        (directory / hashlib.sha1(stream, usedforsecurity=False).hexdigest()).write_bytes(stream)


def _seeds() -> Iterator[bytes]:
    yield from (case.data for case in cases())
    yield from (rule.send for rule in rules())


def write_dictionary(path: Path) -> None:
    """Write what is put into streams, as libFuzzer reads it: in quotes, its bytes in hexadecimal."""
    words = sorted({*_WORDS, *spellings()} - {b""})
    path.write_text("".join(f'"{_escaped(word)}"\n' for word in words))


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
