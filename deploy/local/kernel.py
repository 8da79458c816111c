"""Kernel settings that a kubelet changes for the whole machine: noted before, put back after."""

import json
from contextlib import suppress
from pathlib import Path

_SYSCTL = Path("/proc/sys")
SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
)


def remember(note: Path) -> None:
    """Note the present values, unless that was done already and not undone."""
    if not note.exists():
        note.write_text(json.dumps({name: (_SYSCTL / name).read_text() for name in SETTINGS}))


def restore(note: Path) -> None:
    """Put the noted values back; nothing happens without a note."""
    if not note.exists():
        return
    for name, value in json.loads(note.read_text()).items():
        with suppress(OSError):  # not all are writable in every container
            (_SYSCTL / name).write_text(value)
    note.unlink()
