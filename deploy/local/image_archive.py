"""Packs files and directories into a container image archive, without a container engine.

The result is a "docker archive": `docker load`, `kind load image-archive` and `ctr images import` read it. The same
input gives the same bytes: times are zero, names sorted, owners fixed, and nothing of this machine goes in.
"""

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What the kernel or the runtime fills: of a root file system these go in empty.
MOUNT_POINTS = frozenset({"dev", "proc", "run", "sys"})


@dataclass(frozen=True, slots=True)
class Layer:
    """One image layer: the file or directory `source`, found at the absolute path `target` in the image.

    A directory with target "/" is a root file system: its dev, proc, run and sys stay empty. Modes are those of the
    source. `owner` is (uid, gid) of everything in the layer; None keeps the owners of the source.
    """

    source: Path
    target: str
    owner: tuple[int, int] | None = (0, 0)


def write_archive(  # noqa: PLR0913  # one name for each thing an image says of itself
    out: Path,
    *,
    name: str,
    layers: Sequence[Layer],
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    env: Mapping[str, str] = {},
    user: str = "",
    workdir: str = "/",
) -> None:
    """Write the image `name` (with its tag) to `out`, whole or not at all.

    Later layers win over earlier ones. `env` is added to a usual PATH. Raises ValueError for a target that is not
    absolute and FileNotFoundError for a source that is not there.
    """
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        packed = [_pack(layer, Path(scratch) / f"{index}.tar") for index, layer in enumerate(layers)]
        digests = [_sha256(path) for path in packed]
        settings: dict[str, object] = {
            "Env": [f"{key}={value}" for key, value in ({"PATH": PATH} | dict(env)).items()],
            "WorkingDir": workdir,
            "Entrypoint": list(entrypoint),
            "Cmd": list(command),
            "User": user,
        }
        config = _json(_config({key: value for key, value in settings.items() if value}, digests))
        config_name = hashlib.sha256(config).hexdigest() + ".json"
        layer_names = [f"{digest}/layer.tar" for digest in digests]
        manifest = [{"Config": config_name, "RepoTags": [name], "Layers": layer_names}]
        whole = Path(scratch) / "archive"
        with tarfile.open(whole, "w", format=tarfile.PAX_FORMAT) as archive:
            _add_bytes(archive, config_name, config)
            _add_bytes(archive, "manifest.json", _json(manifest))
            for layer_name, path in dict(zip(layer_names, packed, strict=True)).items():
                archive.add(path, layer_name, filter=lambda entry: _normal(entry, (0, 0)))
        whole.replace(out)


def _config(settings: Mapping[str, object], digests: Sequence[str]) -> dict[str, object]:
    """Return the image configuration (OCI image spec, config.md) for layers of these uncompressed SHA-256 digests."""
    return {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": dict(settings),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }


def _pack(layer: Layer, out: Path) -> Path:
    if not layer.target.startswith("/"):
        raise ValueError(f"target {layer.target} of {layer.source} is not absolute")
    target = layer.target.strip("/")

    def normal(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return _normal(entry, layer.owner)

    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        if target:
            _add_parents(tar, target)
            # A symbolic link named as the source stands for its file; links inside a directory stay links.
            tar.add(os.path.realpath(layer.source), target, filter=normal)
            return out
        for path in sorted(layer.source.iterdir()):
            if path.name in MOUNT_POINTS:
                tar.addfile(_directory(path.name))
            else:
                tar.add(path, path.name, filter=normal)
    return out


def _add_parents(tar: tarfile.TarFile, target: str) -> None:
    parts = target.split("/")
    for depth in range(1, len(parts)):
        tar.addfile(_directory("/".join(parts[:depth])))


def _directory(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry


def _normal(entry: tarfile.TarInfo, owner: tuple[int, int] | None) -> tarfile.TarInfo | None:
    """Strip what differs from machine to machine; None for what no image can hold (devices, pipes)."""
    if entry.isdev():
        return None
    entry.mtime = 0
    entry.uname = entry.gname = ""
    if owner is not None:
        entry.uid, entry.gid = owner
    return entry


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
