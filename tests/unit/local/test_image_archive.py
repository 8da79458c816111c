"""An image archive is the same bytes for the same input, and holds what the layers say."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from local.image_archive import Layer, write_archive


def make_tree(root: Path) -> Path:
    for name in ("b", "a", "proc"):
        (root / name).mkdir(parents=True)
    (root / "a" / "tool").write_bytes(b"#!/bin/sh\n")
    (root / "a" / "tool").chmod(0o755)
    (root / "b" / "link").symlink_to("../a/tool")
    (root / "proc" / "1").write_bytes(b"left out")
    return root


def config_of(archive: Path) -> dict[str, object]:
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        config: dict[str, object] = json.load(tar.extractfile(manifest[0]["Config"]) or io.BytesIO())
        return config


def entries_of_layer(archive: Path, index: int = 0) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        layer = tar.extractfile(manifest[0]["Layers"][index])
        assert layer is not None
        with tarfile.open(fileobj=layer) as content:
            return {entry.name: entry for entry in content.getmembers()}


def test_the_same_files_give_the_same_bytes_whatever_their_times(tmp_path: Path) -> None:
    archives = []
    for copy, time in (("one", 1), ("two", 2_000_000_000)):
        tree = make_tree(tmp_path / copy)
        os.utime(tree / "a" / "tool", (time, time))
        out = tmp_path / f"{copy}.tar"
        write_archive(out, name="registry.local/tool:1", layers=[Layer(tree, "/")], entrypoint=["/a/tool"])
        archives.append(out.read_bytes())
    assert archives[0] == archives[1]


def test_a_root_file_system_keeps_modes_and_links_but_not_what_the_kernel_fills(tmp_path: Path) -> None:
    out = tmp_path / "image.tar"
    write_archive(out, name="registry.local/tool:1", layers=[Layer(make_tree(tmp_path / "root"), "/")])
    entries = entries_of_layer(out)
    assert sorted(entries) == ["a", "a/tool", "b", "b/link", "proc"]
    assert entries["a/tool"].mode == 0o755
    assert entries["b/link"].linkname == "../a/tool"


def test_a_single_file_brings_its_parent_directories(tmp_path: Path) -> None:
    source = tmp_path / "binary"
    source.write_bytes(b"elf")
    out = tmp_path / "image.tar"
    write_archive(out, name="registry.local/tool:1", layers=[Layer(source, "/opt/tool/bin/tool", owner=(65532, 65532))])
    entries = entries_of_layer(out)
    assert list(entries) == ["opt", "opt/tool", "opt/tool/bin", "opt/tool/bin/tool"]
    assert (entries["opt/tool/bin/tool"].uid, entries["opt"].uid) == (65532, 0)


def test_the_configuration_says_how_to_run_it(tmp_path: Path) -> None:
    out = tmp_path / "image.tar"
    write_archive(
        out,
        name="registry.local/tool:1",
        layers=[Layer(make_tree(tmp_path / "root"), "/")],
        entrypoint=["/a/tool"],
        command=["run"],
        env={"USER": "tool"},
        user="65532:65532",
        workdir="/srv",
    )
    settings = config_of(out)["config"]
    assert isinstance(settings, dict)
    assert settings["Entrypoint"] == ["/a/tool"]
    assert settings["Cmd"] == ["run"]
    assert "USER=tool" in settings["Env"]
    assert (settings["User"], settings["WorkingDir"]) == ("65532:65532", "/srv")


def test_a_failed_write_leaves_the_old_archive_and_no_scraps(tmp_path: Path) -> None:
    out = tmp_path / "image.tar"
    out.write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        write_archive(out, name="registry.local/tool:1", layers=[Layer(tmp_path / "absent", "/x")])
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]
    assert out.read_bytes() == b"old"


def test_a_target_must_be_absolute(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not absolute"):
        write_archive(tmp_path / "image.tar", name="x:1", layers=[Layer(tmp_path, "opt")])
