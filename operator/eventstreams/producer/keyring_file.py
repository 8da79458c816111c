"""The keyring from a file: the REST producer without Kubernetes. One shard document holds every key."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from eventstreams.core.keyring import load
from eventstreams.producer.files import Watched
from eventstreams.producer.keys import Keys

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.2
SHARDS: Final = 1


class KeyringFile:
    """Keeps `keys` as the file says; a file that cannot be read leaves what was known."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self._path = path
        self._keys = keys
        self._watched = Watched(path)

    def age_seconds(self) -> float:
        """Return 0: the file itself is what counts."""
        return 0.0

    async def keep(self) -> None:
        """Read the file whenever it changed, for ever."""
        self._read()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._watched.has_changed():
                self._read()

    def _read(self) -> None:
        try:
            shard = load(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            logger.warning("Kept the keyring, its file cannot be read", extra={"file": self._path, "error": str(error)})
            return
        self._keys.replace(0, shard)
        logger.info("Read the keyring", extra={"file": self._path, "keys": len(self._keys), "revision": shard.revision})
