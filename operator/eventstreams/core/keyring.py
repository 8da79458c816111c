"""The keyring's form: what the operator writes into ConfigMaps and the REST producer reads. Nothing here does I/O.

A keyring has 16 shards, one ConfigMap each, chosen by the first byte of SHA-256(key id) modulo 16. A shard is one
JSON document under `keyring.json`: {"version": 1, "revision": n, "keys": [...]}. It holds digests, never keys.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from eventstreams.core.apikey import Digest, KeyId

SHARDS: Final = 16
VERSION: Final = 1
DATA_KEY: Final = "keyring.json"


class UnknownVersionError(ValueError):
    """A shard was written in a form that this program does not know: keep the old copy."""


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """How much a replica takes from one owner in a second, whichever of its keys it shows; None: no limit."""

    requests_per_second: int | None = None
    bytes_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """What one key may do.

    `topics` holds patterns of topics it may produce to: a name, a prefix that ends in `*`, or `*`.
    `owner` is `namespace/name` of the ServiceID: keys of one owner share their `limits` and their place in the
    producer's window. `expires_at` None: it does not expire.
    `username` is accepted as the user of Basic authentication beside `token`.
    """

    id: KeyId
    sha256: Digest
    owner: str
    topics: tuple[str, ...] = ()
    expires_at: datetime | None = None
    username: str = ""
    limits: KeyLimits | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard. `revision` grows with each write, so that a reader can tell old from new."""

    revision: int = 0
    keys: tuple[KeyGrant, ...] = field(default=())


def shard_of(key_id: KeyId) -> int:
    """Return the number of the shard that holds a key: 0 to 15."""
    return hashlib.sha256(key_id.encode()).digest()[0] % SHARDS


def dump(shard: Shard) -> str:
    """Render a shard; equal content gives equal text, whatever the order of its keys."""
    keys = [_key_to_json(key) for key in sorted(shard.keys, key=lambda key: key.id)]
    return json.dumps({"version": VERSION, "revision": shard.revision, "keys": keys}, sort_keys=True)


def load(text: str) -> Shard:
    """Read a shard.

    Raises UnknownVersionError for a form of the future, ValueError for what is no keyring.
    """
    try:
        raw = json.loads(text)
        if raw["version"] != VERSION:
            raise UnknownVersionError(f"keyring version {raw['version']!r} is not {VERSION}")
        return Shard(int(raw["revision"]), tuple(_key_from_json(key) for key in raw["keys"]))
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError("not a keyring") from error


def permits(patterns: Iterable[str], topic: str) -> bool:
    """Tell whether `topic` matches one of the patterns. Names that begin with `__` never do."""
    if topic.startswith("__"):
        return False
    return any(topic == one or (one.endswith("*") and topic.startswith(one[:-1])) for one in patterns)


def _key_to_json(key: KeyGrant) -> dict[str, Any]:
    out: dict[str, Any] = {"id": key.id, "sha256": key.sha256, "owner": key.owner, "topics": sorted(key.topics)}
    if key.expires_at is not None:
        out["expiresAt"] = key.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if key.username:
        out["username"] = key.username
    if key.limits is not None:
        limits = {
            "requestsPerSecond": key.limits.requests_per_second,
            "bytesPerSecond": key.limits.bytes_per_second,
        }
        out["limits"] = {name: value for name, value in limits.items() if value is not None}
    return out


def _key_from_json(raw: dict[str, Any]) -> KeyGrant:
    expires, limits = raw.get("expiresAt"), raw.get("limits")
    return KeyGrant(
        id=KeyId(raw["id"]),
        sha256=Digest(raw["sha256"]),
        owner=str(raw["owner"]),
        topics=tuple(str(topic) for topic in raw["topics"]),
        expires_at=None if expires is None else datetime.fromisoformat(expires),
        username=str(raw.get("username", "")),
        limits=None if limits is None else _limits_from_json(limits),
    )


def _limits_from_json(raw: dict[str, Any]) -> KeyLimits:
    """Read what is known here; a limit of the future is not enforced by a producer of today."""
    requests, size = raw.get("requestsPerSecond"), raw.get("bytesPerSecond")
    if any(one is not None and not (type(one) is int and one > 0) for one in (requests, size)):
        raise ValueError("a limit of a key is no whole number above 0")
    return KeyLimits(requests, size)
