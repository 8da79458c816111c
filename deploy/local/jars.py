"""The jars of a Kafka broker: resolved by Maven once, and checked against the checksums kept beside the pom."""

import hashlib
from pathlib import Path

from local import packages
from local.errors import PlatformError
from local.places import PACKAGE, cache_root, exclusive, fingerprint, made_whole
from local.progress import Progress
from local.shell import run

POM = PACKAGE / "maven" / "pom.xml"
CHECKSUMS = PACKAGE / "maven" / "jars.sha256"


def kafka_jars(progress: Progress | None = None) -> Path:
    """Return the directory that holds the jars and nothing else, the same for broker, tools and image.

    Raises PlatformError when a jar is not the one that was pinned.
    """
    shown = progress or Progress()
    directory = cache_root() / "kafka" / f"jars-{fingerprint(POM, CHECKSUMS)}"
    if not directory.exists():
        packages.ensure({**packages.JAVA, **packages.MAVEN}, shown)
        with exclusive(directory):
            if not directory.exists():
                with shown.step("download Kafka's jars (once)"), made_whole(directory) as scratch:
                    resolve(scratch)
                    verify(scratch)
    return directory


def resolve(directory: Path) -> None:
    """Have Maven copy the jars of the pom, and of all that these need, into a directory."""
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={directory}"]
    run(["mvn", "-q", "-B", "-ntp", "-f", POM, "dependency:copy-dependencies", *options])


def checksums(directory: Path) -> str:
    """Return the lines of `sha256sum *.jar`."""
    files = sorted(directory.iterdir())
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def verify(directory: Path) -> None:
    """Compare a directory with the pinned checksums; PlatformError names what differs."""
    found, pinned = (set(text.splitlines()) for text in (checksums(directory), CHECKSUMS.read_text()))
    if differing := sorted({line.split()[1] for line in found ^ pinned}):
        raise PlatformError(
            f"Kafka's jars are not the pinned ones: {', '.join(differing)}; after a wanted change of {POM.name} "
            f"write {CHECKSUMS.name} anew with: python -m local kafka checksums"
        )
