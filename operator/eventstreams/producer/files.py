"""Noticing that mounted files changed: Secrets and ConfigMaps are replaced under a running process."""

from pathlib import Path


class Watched:
    """Some files, and whether they changed since the last look. A stat a file: cheap enough for every second."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._seen = self._look()

    def has_changed(self) -> bool:
        """Tell whether any file was replaced, rewritten, removed or made since the last call."""
        now = self._look()
        changed, self._seen = now != self._seen, now
        return changed

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_signature(path) for path in self._paths]


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
