"""Python's aiohttp. Reads the lines that test_clients.py wrote, and prints for each the answer's status and body."""

import asyncio
import ssl
import sys
from pathlib import Path

import aiohttp


async def main(lines: list[str], ca: str) -> None:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca))
    async with aiohttp.ClientSession(connector=connector) as session:
        for line in lines:
            url, secret, content_type, file, key, headers = line.split("\t")
            async with session.post(
                url,
                params={"key": key, "headers": headers},
                headers={"Authorization": f"Bearer {secret}", "Content-Type": content_type},
                data=Path(file).read_bytes(),  # noqa: ASYNC240  nobody else waits
            ) as answer:
                print(answer.status, await answer.text(), sep="\t")


asyncio.run(main(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines(), sys.argv[2]))
