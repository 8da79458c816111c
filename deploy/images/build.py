"""Brings images up to date: their parts first, then the archive that an engine loads."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from images.catalogue import IMAGES, Image, Room
from images.debian import require_release
from images.parts import Part, is_up_to_date, renew
from local.image_archive import Layer, write_archive
from local.packages import ensure
from local.places import cache_root, exclusive
from local.progress import Progress

PROGRAMS: Mapping[str, str] = {"apt-get": "apt", "dpkg-deb": "dpkg", "unshare": "util-linux"}


@dataclass(frozen=True, slots=True)
class Built:
    """An image that is ready to be loaded; `archive` is a docker archive that holds it as `reference`."""

    repository: str
    tag: str
    archive: Path

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.tag}"


def build(name: str, *, progress: Progress | None = None) -> Built:
    """Return the image `name`, made from the work tree as it is now; what is up to date is not made again.

    One build of an image at a time: a second one waits. Raises KeyError for a name that is not in IMAGES and
    PlatformError when a program of this machine is missing or fails.
    """
    progress, room = progress or Progress(), room_of(name)
    with exclusive(room.path), _readable():
        image = IMAGES[name](room)
        archive = archive_of(image, room)
        if not archive.exists():
            require_release()
            ensure(PROGRAMS, progress)
            for part in image.parts:
                _bring_up_to_date(part, room, f"{name}: {part.name}", progress)
            with progress.step(f"{name}: archive"):
                _pack(image, room, archive)
    return Built(image.repository, image.tag, archive)


def room_of(name: str) -> Room:
    """Return where the parts and the archive of an image lie."""
    return Room(cache_root() / "images" / name)


def archive_of(image: Image, room: Room) -> Path:
    """Return where the archive of `image` lies when it has been built."""
    return room.path / f"{image.name}-{image.tag}.tar"


def _bring_up_to_date(part: Part, room: Room, title: str, progress: Progress) -> None:
    place = room.place(part.name)
    if not is_up_to_date(part, place):
        with progress.step(title):
            renew(part, place)


def _pack(image: Image, room: Room, archive: Path) -> None:
    """Write the archive and let the one before go."""
    (room.context / "Containerfile").write_text(image.containerfile)
    declared = image.declared()
    copies = [Layer(room.context / source, target) for source, target in declared.copies]
    write_archive(
        archive,
        name=image.reference,
        layers=[Layer(room.place("base"), "/"), *copies],
        entrypoint=declared.entrypoint,
        command=declared.command,
        env=dict(declared.env),
        user=declared.user,
        workdir=declared.workdir,
    )
    for other in room.path.glob("*.tar"):
        if other != archive:
            other.unlink()


@contextmanager
def _readable() -> Iterator[None]:
    """Files are made for another user to read, whatever this one's umask."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
