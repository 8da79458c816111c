"""Finds TCP ports on loopback that nobody uses."""

import random
import socket
from collections.abc import Sequence
from contextlib import closing

# Below the kernel's range for outgoing connections (32768 and up by default), not from it, as binding port 0 would:
# there a server that restarts may find its port taken by a client that tries to reach it.
_RANGE = range(20000, 30000)


def is_free(port: int) -> bool:
    """Say whether a server could listen on 127.0.0.1:`port` now."""
    with closing(socket.socket()) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(wanted: Sequence[int]) -> list[int]:
    """Return the wanted ports, each replaced by a random free one when it is 0 or taken."""
    found: list[int] = []
    for port in wanted:
        choice = port
        while choice in found or not choice or not is_free(choice):
            choice = random.choice(_RANGE)  # noqa: S311  # no secret
        found.append(choice)
    return found
