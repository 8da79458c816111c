"""Loads the cases in http_cases/*.toml."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unit.producer.rig import KEY, post

FOLDER = Path(__file__).parent / "http_cases"


@dataclass(frozen=True)
class Case:
    name: str
    rfc: str
    data: bytes
    answers: list[int]
    is_open: bool
    is_first: bool
    """Whether it is no further spelling of the case before it."""


def cases() -> Iterator[Case]:
    for raw in _listed():
        for number, one in enumerate(raw.get("each", [None])):
            name, send = (raw["name"], raw["send"]) if one is None else _spelled(raw, one)
            yield Case(name, raw["rfc"], _bytes(send), raw["answers"], raw["fate"] == "open", number == 0)


def spellings() -> Iterator[bytes]:
    """Return what stands in the place of %EACH%."""
    for raw in _listed():
        yield from map(_bytes, raw.get("each", []))


def _listed() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("*.toml")):
        yield from tomllib.loads(path.read_text(encoding="utf-8"))["case"]


def _spelled(raw: dict[str, Any], one: str) -> tuple[str, str]:
    """Return name and request of a case with %EACH% in one of its spellings."""
    return f"{raw['name']}: {one!a}", raw["send"].replace("%EACH%", one)


def _bytes(text: str) -> bytes:
    for mark, value in {
        "%POST%": "POST /topics/orders/records HTTP/1.1\r\nHost: es\r\n",
        "%INNER%": "GET /ready HTTP/1.1\r\nHost: es\r\n\r\n",
        "%AUTH%": "Authorization: Bearer %KEY%\r\nContent-Type: text/plain\r\n",
        "%JSON%": "Authorization: Bearer %KEY%\r\nContent-Type: application/json\r\n",
        "%XML%": "Authorization: Bearer %KEY%\r\nContent-Type: text/xml\r\n",
        "%KEY%": KEY.reveal(),
        "%GOOD%": post().decode(),
        "%BIG%": "x" * 1001,
        "%LONG_URI%": "x" * 10_250,
        "%LONG_HEAD%": "x" * 17_000,
        "%MANY_FIELDS%": "X: y\r\n" * 100,
    }.items():
        text = text.replace(mark, value)
    return text.encode("latin-1")
