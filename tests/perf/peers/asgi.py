"""The job on uvicorn, as a plain ASGI application: `uvicorn perf.peers.asgi:app`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from perf.peers.bridge import CONTENT_TYPE, Bridge, Rights

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class App:
    """The bridge is made with the first event of the application's life, inside the loop."""

    _bridge: Bridge
    _rights: Rights

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        status, topic = self._rights.judge(scope["path"], authorization)
        body = await _body(receive)
        answer = b""
        if status == 200:
            answer = self._bridge.answer(await self._bridge.send(topic, body))
        headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._bridge, self._rights = Bridge(asyncio.get_running_loop()), Rights()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Receive) -> bytes:
    event = await receive()
    if not event["more_body"]:
        whole: bytes = event["body"]
        return whole
    pieces = [event["body"]]
    while event["more_body"]:
        event = await receive()
        pieces.append(event["body"])
    return b"".join(pieces)


app = App()
