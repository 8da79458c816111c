"""Asks one question of one name server."""

import socket
import struct

_QUERY_ID = 0x4553
_RECURSION_DESIRED = 0x0100
_TYPE_A, _CLASS_IN = 1, 1
TIMEOUT_SECONDS = 0.5


def resolves(name: str, server: str) -> bool:
    """Say whether `server` knows an IPv4 address of `name` (RFC 1035, over UDP)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = struct.pack("!6H", _QUERY_ID, _RECURSION_DESIRED, 1, 0, 0, 0)
    query = header + labels + b"\0" + struct.pack("!2H", _TYPE_A, _CLASS_IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT_SECONDS)
        try:
            sock.sendto(query, (server, 53))
            answer = sock.recv(512)
        except OSError:
            return False
    identity, flags, _, answers, _, _ = struct.unpack("!6H", answer[:12])
    return bool(identity == _QUERY_ID and not flags & 0xF and answers)
