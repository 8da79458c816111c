"""Where the local platform keeps things.

What can be made again from pinned sources (binaries, images, jars) is cache, below `cache_root`, in directories named
by a fingerprint of their inputs: a changed input is a new directory, never a stale one. What a running platform needs
is state, below `state_root`.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

PACKAGE = Path(__file__).resolve().parent
TEMPLATES = PACKAGE / "templates"


def cache_root() -> Path:
    """Return the directory for what is built once: $XDG_CACHE_HOME/eventstreams, usually ~/.cache/eventstreams."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "eventstreams"


def state_root() -> Path:
    """Return the directory above the state of every platform: $EVENTSTREAMS_LOCAL_DIR, else the cache's."""
    own = os.environ.get("EVENTSTREAMS_LOCAL_DIR")
    return Path(own).resolve() if own else cache_root()


def fingerprint(*inputs: Path | str) -> str:
    """Return 12 hex digits that change when a text, or the content or name of a file, changes."""
    digest = hashlib.sha256()
    for item in inputs:
        content = item.read_bytes() if isinstance(item, Path) else item.encode()
        label = item.name if isinstance(item, Path) else ""
        digest.update(f"{label}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock beside `path`; another process that works on the same thing is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """Give a scratch directory that becomes `target` when the block ends well, and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def render(template: str, **values: object) -> str:
    """Return the text of a file in `templates/` with every ${name} replaced; a name without a value is a KeyError."""
    return Template((TEMPLATES / template).read_text()).substitute(values)


def write_if_changed(path: Path, text: str) -> None:
    """Write `path`, but leave it alone when it holds `text` already: kube-proxy ends when its file is touched."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
