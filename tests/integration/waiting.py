"""Waiting for conditions with a deadline: never for a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGER = 0.02, 0.15, 1.2
"""What comes soon is seen soon; who waits for long leaves the machine to what is waited for."""


@asynccontextmanager
async def until(what: str, *, seconds: float = 20.0) -> AsyncIterator[AsyncIterator[None]]:
    """Give an endless iterator of looks; fails with `what` when the block takes longer than `seconds`."""

    async def looks() -> AsyncIterator[None]:
        pause = FIRST_PAUSE_SECONDS
        while True:
            yield
            await asyncio.sleep(pause)
            pause = min(pause * LONGER, LONGEST_PAUSE_SECONDS)

    try:
        async with asyncio.timeout(seconds):
            yield looks()
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


async def eventually(look: Callable[[], Awaitable[T | None]], what: str, *, seconds: float = 20.0) -> T:
    """Look until there is an answer that is neither None nor False, and return it."""
    async with until(what, seconds=seconds) as looking:
        async for _ in looking:
            found = await look()
            if found is not None and found is not False:
                return found
    raise AssertionError(what)
