"""Parts of an image: directories that are made once, and again only when what they are made from has changed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.places import made_whole


@dataclass(frozen=True, slots=True)
class Part:
    """One directory of an image.

    `make` fills the empty directory that it is given; earlier parts of the image are up to date when it is called.
    `key` is the digest of everything that decides the content.
    """

    name: str
    key: str
    make: Callable[[Path], None]


def digest(*inputs: str | Path) -> str:
    """Return the SHA-256 (hex) of texts, files, and directories with the names, modes and bytes of what is in them.

    Bytecode does not count. Raises FileNotFoundError for a path that is not there.
    """
    whole = hashlib.sha256()
    for item in inputs:
        for label, content in _entries(item):
            whole.update(f"{len(label)} {len(content)} {label}".encode())
            whole.update(content)
    return whole.hexdigest()


def _entries(item: str | Path) -> list[tuple[str, bytes]]:
    if isinstance(item, str):
        return [("text", item.encode())]
    if item.is_file():
        return [("file", item.read_bytes())]
    if not item.exists():
        raise FileNotFoundError(f"{item} is not there, yet an image is made from it")
    files = sorted(path for path in item.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [(f"{path.relative_to(item)} {path.stat().st_mode & 0o111:o}", path.read_bytes()) for path in files]


def is_up_to_date(part: Part, place: Path) -> bool:
    """Tell whether the directory `place` holds `part` as it is now wanted."""
    mark = _mark(place)
    return place.is_dir() and mark.is_file() and mark.read_text() == part.key


def renew(part: Part, place: Path) -> None:
    """Make `part` anew at `place`. A crash at any point leaves it absent or not up to date, never half made."""
    _mark(place).unlink(missing_ok=True)
    with made_whole(place) as fresh:
        part.make(fresh)
    _mark(place).write_text(part.key)


def _mark(place: Path) -> Path:
    return place.with_name(f".{place.name}.key")
