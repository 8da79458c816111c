"""One quiet client: a record every few milliseconds over one kept connection, and how long each took.

    python -m perf.probe URL RATE SECONDS < {"authorization": ..., "ca": ...}

Prints {"p50_ms", "p99_ms", "requests", "refused"}. Requests leave when they are due, not when the last was answered:
what the server delays shows whole. It runs before everything else of its core, or it would measure the scheduler.
"""

import json
import socket
import ssl
import sys
import time
from typing import Final
from urllib.parse import urlsplit

from perf.program import run_first

BODY: Final = b"x" * 100
_TIMEOUT_SECONDS: Final = 10
_ANSWER_BYTES: Final = 65_536


class Client:
    """One connection."""

    def __init__(self, url: str, authorization: str, ca: str | None) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
        self._socket = socket.create_connection((host, port), _TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            self._socket = ssl.create_default_context(cafile=ca).wrap_socket(self._socket, server_hostname=host)
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(BODY)}\r\n\r\n"
        )
        self._request = head.encode() + BODY

    def produce(self) -> int:
        """Send a record and return the status of its answer."""
        self._socket.sendall(self._request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        return int(head[9:12])

    def _receive(self) -> bytes:
        received = self._socket.recv(_ANSWER_BYTES)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


def probe(client: Client, rate: float, seconds: float) -> dict[str, float]:
    """Send `rate` records a second and return what was seen."""
    begin, taken, refused = time.perf_counter(), [], 0
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        refused += client.produce() != 200
        taken.append(time.perf_counter() - due)
    taken.sort()
    p50, p99 = (taken[int(len(taken) * share)] * 1000 for share in (0.5, 0.99))
    return {"p50_ms": round(p50, 3), "p99_ms": round(p99, 3), "requests": len(taken), "refused": refused}


def _main() -> None:
    run_first()
    url, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    told = json.load(sys.stdin)
    client = Client(url, told["authorization"], told["ca"])
    client.produce()
    sys.stdout.write(json.dumps(probe(client, rate, seconds)) + "\n")


if __name__ == "__main__":
    _main()
