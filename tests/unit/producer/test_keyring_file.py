"""The keyring from a file."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from eventstreams.core.keyring import Shard, dump
from eventstreams.producer.keyring_file import KeyringFile
from eventstreams.producer.keys import Keys
from integration.waiting import until
from unit.producer.rig import GRANT, NOW


async def reached(what: str, look: Callable[[], object]) -> None:
    async with until(what, seconds=5) as looking:
        async for _ in looking:
            if look():
                return


async def test_the_file_is_read_again_whenever_it_changes_and_kept_when_it_breaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, keys = tmp_path / "keyring.json", Keys(lambda: NOW, shards=1)
    path.write_text(dump(Shard(1, (GRANT,))))
    task = asyncio.ensure_future(KeyringFile(path, keys).keep())
    await reached("the first key", lambda: len(keys) == 1)

    path.write_text("{")
    await reached("a warning", lambda: "cannot be read" in caplog.text)
    assert len(keys) == 1
    path.write_text(dump(Shard(2, ())))
    await reached("the revocation", lambda: len(keys) == 0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_file_that_is_not_there_leaves_the_process_unready(tmp_path: Path) -> None:
    keys = Keys(lambda: NOW, shards=1)
    keyring = KeyringFile(tmp_path / "none", keys)

    keyring._read()

    assert keys.missing == [0]
