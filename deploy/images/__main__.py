"""`python -m images build [NAME...]` and `python -m images list`; what they do is told in images/__init__.py."""

import argparse
import sys

from images.build import archive_of, build, room_of
from images.catalogue import IMAGES
from local.errors import PlatformError


def main() -> int:
    """Print a line for each image to standard output: reference, archive, size. Progress goes to standard error."""
    arguments = _arguments()
    try:
        for name in arguments.names or IMAGES:
            print(_built(name) if arguments.command == "build" else _listed(name))
    except PlatformError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _built(name: str) -> str:
    image = build(name)
    return f"{image.reference}\t{image.archive}\t{image.archive.stat().st_size / 1e6:.0f} MB"


def _listed(name: str) -> str:
    room = room_of(name)
    image = IMAGES[name](room)
    archive = archive_of(image, room)
    return f"{image.reference}\t{archive if archive.exists() else '<not built>'}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="images", description="Build the project's container images")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, purpose in (("build", "bring images up to date"), ("list", "show images and their archives")):
        names = commands.add_parser(command, help=purpose)
        names.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(IMAGES)}; all when none is named")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in IMAGES]:
        parser.error(f"no image is named {' or '.join(unknown)}; there are {', '.join(IMAGES)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
