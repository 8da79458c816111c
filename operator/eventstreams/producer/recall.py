"""Heads seen before: what was found of them, so that the next alike costs a digest and two look-ups.

A client's header fields are the same in each of its requests, its request line often is. A field block is known by its
SHA-256, as the API key is in it; what was found holds while the keyring stays as it is and the key has not expired.

Only a head that was read and judged in full, and accepted, is remembered, by parts: a line that was read with one
block may stand before another. That is sound because nothing that `framing` or `request` looks at is in both parts but
for what `LINE` pins down: POST, a path that begins with `/`, HTTP/1.1. A refusal is never remembered, so a wrong key
always costs the same work.
"""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from eventstreams.producer.answers import RefusalError
from eventstreams.producer.exchange import Task
from eventstreams.producer.framing import SHORT_HEAD, Head
from eventstreams.producer.keys import Keys
from eventstreams.producer.limits import Limits
from eventstreams.producer.request import Order, read_query

LINE: Final = re.compile(rb"POST /topics/([a-zA-Z0-9._-]{1,249})/records(?:\?([!\"$-~]*))? HTTP/1\.1\r\n")
MOST_BLOCKS: Final = 1024
"""Field blocks that are remembered: about 1 MB, 10 if each has all its lines. One more, and all are forgotten."""
MOST_LINES: Final = 32
"""Request lines of one block that are remembered."""


@dataclass(slots=True)
class _Block:
    epoch: int
    head: Head
    order: Order
    orders: dict[bytes, Order] = field(default_factory=dict)


class Recall:
    """What is remembered."""

    def __init__(self, keys: Keys, limits: Limits) -> None:
        self._keys = keys
        self._limits = limits
        self._blocks: dict[bytes, _Block] = {}

    def find(self, line: bytes, fields: bytes) -> tuple[Head, Order] | None:
        """Return what reading and judging the head of these two parts would, but for the head's text; or None."""
        block = self._blocks.get(sha256(fields).digest()) if len(fields) <= SHORT_HEAD else None
        if block is None or block.epoch != self._keys.epoch or block.order.grant.expires <= self._keys.wall():
            return None
        order = block.orders.get(line) or self._order(block, line)
        return None if order is None else (block.head, order)

    def note(self, line: bytes, fields: bytes, head: Head, task: Task) -> None:
        """Remember an accepted head, if it is one of a record and short."""
        if not isinstance(task, Order) or len(line) + len(fields) > SHORT_HEAD or LINE.fullmatch(line) is None:
            return
        if len(self._blocks) >= MOST_BLOCKS:
            self._blocks.clear()
        bare = Head(head.method, b"", {}, head.length, head.chunked, head.keep_alive, head.expects_continue)
        self._blocks[sha256(fields).digest()] = _Block(self._keys.epoch, bare, task)

    def _order(self, block: _Block, line: bytes) -> Order | None:
        """Return what a line asks for before a known block; None when it must be read and judged in full."""
        parts = LINE.fullmatch(line)
        if parts is None or len(line) > SHORT_HEAD:
            return None
        topic, query = parts[1].decode(), parts[2]
        grant = block.order.grant
        if topic in {".", ".."} or not grant.permits(topic):
            return None
        order = Order(topic=topic, grant=grant, is_json=block.order.is_json)
        if query is not None:
            try:
                read_query(query, order, self._limits)
            except RefusalError:
                return None
        elif len(block.orders) < MOST_LINES:
            block.orders[line] = order
        return order
