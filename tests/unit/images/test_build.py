"""A build makes what has changed, and the tag tells images apart."""

import io
import json
import tarfile
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from images import build as build_module
from images import catalogue
from images.build import build, room_of
from images.catalogue import IMAGES, Image, Room
from images.parts import Part
from local.progress import Progress

CONTAINERFILE = 'FROM base\nCOPY app/ /opt/app/\nUSER 65532\nCMD ["app"]\n'


class Workshop:
    """An image `tool` of two parts whose keys a test changes; `made` lists the parts that were made."""

    def __init__(self) -> None:
        self.keys = {"base": "1", "app": "1"}
        self.containerfile = CONTAINERFILE
        self.made: list[str] = []

    def image(self, room: Room) -> Image:  # noqa: ARG002  # an entry of IMAGES
        parts = tuple(Part(name, key, partial(self._make, name)) for name, key in self.keys.items())
        return Image("tool", "1.2", self.containerfile, parts)

    def _make(self, name: str, target: Path) -> None:
        self.made.append(name)
        (target / f"{name}.txt").write_text(self.keys[name])


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    workshop = Workshop()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(IMAGES, "tool", workshop.image)
    monkeypatch.setattr(build_module, "PROGRAMS", {})
    return workshop


def quiet() -> Progress:
    return Progress(Console(file=io.StringIO()))


def test_a_second_build_makes_nothing_and_answers_the_same(workshop: Workshop) -> None:
    first = build("tool", progress=quiet())
    written = first.archive.stat()
    second = build("tool", progress=quiet())
    assert workshop.made == ["base", "app"]
    assert (second, second.archive.stat()) == (first, written)


def test_a_changed_part_alone_is_made_again_and_the_tag_changes(workshop: Workshop) -> None:
    first = build("tool", progress=quiet())
    workshop.made.clear()
    workshop.keys["app"] = "2"
    second = build("tool", progress=quiet())
    assert workshop.made == ["app"]
    assert second.tag != first.tag
    assert not first.archive.exists()


def test_a_changed_containerfile_makes_no_part_but_another_image(workshop: Workshop) -> None:
    first = build("tool", progress=quiet())
    workshop.containerfile = CONTAINERFILE.replace("65532", "65533")
    second = build("tool", progress=quiet())
    assert workshop.made == ["base", "app"]
    assert second.tag != first.tag


def test_the_archive_is_named_as_the_answer_says_and_the_base_lies_below(workshop: Workshop) -> None:
    built = build("tool", progress=quiet())
    with tarfile.open(built.archive) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())[0]
        layers = [sorted(_names(archive, layer)) for layer in manifest["Layers"]]
    assert manifest["RepoTags"] == [built.reference]
    assert layers == [["base.txt"], ["opt", "opt/app", "opt/app/app.txt"]]
    assert built.reference.startswith("eventstreams.local/tool:1.2-")


def _names(archive: tarfile.TarFile, layer: str) -> list[str]:
    with tarfile.open(fileobj=archive.extractfile(layer)) as content:
        return content.getnames()


def test_the_context_is_what_an_engine_builds_from(workshop: Workshop) -> None:
    build("tool", progress=quiet())
    context = room_of("tool").context
    assert (context / "Containerfile").read_text() == workshop.containerfile
    assert (context / "app/app.txt").is_file()


@pytest.fixture
def checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    checksums = tmp_path / "jars.sha256"
    checksums.write_text("11  kafka-clients-4.3.1.jar\n22  kafka_2.13-4.3.1.jar\n")
    monkeypatch.setattr(catalogue, "CHECKSUMS", checksums)
    return checksums


@pytest.mark.usefixtures("checksums", "project")
@pytest.mark.parametrize("name", ["eventstreams", "eventstreams-kafka"])
def test_a_containerfile_copies_all_parts_but_the_base(name: str, tmp_path: Path) -> None:
    image = IMAGES[name](Room(tmp_path))
    copied = [source for source, _ in image.declared().copies]
    assert ["base", *copied] == [part.name for part in image.parts]


def test_the_kafka_image_has_kafkas_version_and_changes_with_a_jar(checksums: Path, tmp_path: Path) -> None:
    before = IMAGES["eventstreams-kafka"](Room(tmp_path))
    checksums.write_text(checksums.read_text().replace("11", "33"))
    after = IMAGES["eventstreams-kafka"](Room(tmp_path))
    assert before.version == "4.3.1"
    changed = [new.name for old, new in zip(before.parts, after.parts, strict=True) if old.key != new.key]
    assert changed == ["libs", "class-data"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/runtime.txt").touch()
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\nreadme = "README.md"\n')
    (tmp_path / "operator/eventstreams").mkdir(parents=True)
    for name in ("README.md", "LICENSE", "operator/eventstreams/module.py"):
        (tmp_path / name).touch()
    monkeypatch.setattr(catalogue, "PROJECT", tmp_path)
    return tmp_path


def test_a_changed_source_file_leaves_python_and_the_wheels_alone(project: Path) -> None:
    before = IMAGES["eventstreams"](Room(project))
    (project / "operator/eventstreams/module.py").write_text("x = 1\n")
    after = IMAGES["eventstreams"](Room(project))
    changed = [new.name for old, new in zip(before.parts, after.parts, strict=True) if old.key != new.key]
    assert changed == ["project"]
