"""The job on Granian, by its own interface RSGI: `granian --interface rsgi perf.peers.rsgi:app`."""

import asyncio
from typing import Any

from perf.peers.bridge import CONTENT_TYPE, Bridge, Rights

_HEADERS = [("content-type", CONTENT_TYPE)]


class App:
    """`scope` and `protocol` are Granian's, which declares no types for them."""

    _bridge: Bridge
    _rights: Rights

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._bridge, self._rights = Bridge(loop), Rights()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        authorization = scope.headers.get("authorization", "")
        status, topic = self._rights.judge(scope.path, authorization.encode("latin-1"))
        body = await protocol()
        if status != 200:
            protocol.response_empty(status, [])
            return
        message = await self._bridge.send(topic, body)
        protocol.response_bytes(200, _HEADERS, self._bridge.answer(message))


app = App()
