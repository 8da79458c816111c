"""The two images: which parts each is made of, and what each part is made from."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from images import debian, kafka_parts, python_parts
from images.containerfile import Containerfile, parse
from images.parts import Part, digest
from local import image_archive
from local.jars import CHECKSUMS

REGISTRY = "eventstreams.local"
HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PACKER = Path(image_archive.__file__)


@dataclass(frozen=True, slots=True)
class Room:
    """Where the parts of one image lie: its root file system apart, all others in the context that engines take."""

    path: Path

    @property
    def context(self) -> Path:
        return self.path / "context"

    def place(self, part: str) -> Path:
        return self.path / part if part == "base" else self.context / part


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it is wanted now. `parts` are in the order in which they can be made, the base first."""

    name: str
    version: str
    containerfile: str
    parts: tuple[Part, ...]

    @property
    def repository(self) -> str:
        return f"{REGISTRY}/{self.name}"

    @property
    def tag(self) -> str:
        """The version and twelve digits of the digest of all inputs, and of what packs them."""
        inputs = digest(self.containerfile, PACKER, *(part.key for part in self.parts))
        return f"{self.version}-{inputs[:12]}"

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.tag}"

    def declared(self) -> Containerfile:
        return parse(self.containerfile)


def eventstreams(room: Room) -> Image:
    """Return the image of operator, producer and command line."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    requirements = PROJECT / "requirements/runtime.txt"
    sources = [PROJECT / name for name in ("pyproject.toml", settings["readme"], "LICENSE", "operator/eventstreams")]
    recipe, base = HERE / "python_parts.py", room.place("base")
    base_key = digest(HERE / "debian.py", recipe)
    return _image(
        "eventstreams",
        settings["version"],
        Part("base", base_key, python_parts.make_base),
        Part(
            "dependencies",
            digest(base_key, requirements),
            partial(python_parts.make_dependencies, base=base, requirements=requirements),
        ),
        Part(
            "project",
            digest(base_key, *sources),
            partial(python_parts.make_project, base=base, project=PROJECT),
        ),
    )


def eventstreams_kafka(room: Room) -> Image:
    """Return the image of a JVM and Kafka's jars, which their checksums stand for."""
    version = re.findall(r" kafka_[0-9.]+-(.+)\.jar$", CHECKSUMS.read_text(), re.MULTILINE)[0]
    recipe, script = HERE / "kafka_parts.py", kafka_parts.CLASS_DATA_SCRIPT
    base_key = digest(HERE / "debian.py", recipe)
    jars_key = digest(recipe, CHECKSUMS)
    return _image(
        "eventstreams-kafka",
        version,
        Part("base", base_key, partial(debian.make_root, what=kafka_parts.BASE)),
        Part("libs", jars_key, kafka_parts.make_jars),
        Part(
            "class-data",
            digest(base_key, jars_key, script),
            partial(kafka_parts.make_class_data, base=room.place("base"), jars=room.place("libs")),
        ),
    )


def _image(name: str, version: str, base: Part, *others: Part) -> Image:
    users = HERE / "etc"
    etc = Part("etc", digest(users), partial(_copy_files, users))
    return Image(name, version, (HERE / name / "Containerfile").read_text(), (base, etc, *others))


def _copy_files(source: Path, target: Path) -> None:
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())


IMAGES: Mapping[str, Callable[[Room], Image]] = {
    "eventstreams": eventstreams,
    "eventstreams-kafka": eventstreams_kafka,
}
