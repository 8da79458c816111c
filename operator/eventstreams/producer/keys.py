"""The registry of API keys: which digest may produce where. Filled from the keyring, asked once a request.

It holds digests, never keys. Every presented key costs the same work, one SHA-256 and one look-up, whatever is wrong
with it; an attacker cannot steer the digest, so the look-up itself tells nothing. `epoch` grows with every change.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

from eventstreams.core.keyring import SHARDS, KeyGrant, Shard, permits
from eventstreams.producer.allowance import Account, Accounts
from eventstreams.producer.credentials import Credentials, unauthorized


@dataclass(frozen=True, slots=True)
class Grant:
    """One key's rights, ready for the hot path: plain names apart from patterns."""

    digest: str
    key_id: str
    usernames: frozenset[bytes]
    names: frozenset[str]
    patterns: tuple[str, ...]
    expires: float
    account: Account
    """Shared by all keys of the owner."""

    def permits(self, topic: str) -> bool:
        """Tell whether the key may produce to `topic`."""
        return topic in self.names or permits(self.patterns, topic)


class Keys:
    """Digests to grants, kept by shard. Expiry is judged by `wall`, Unix time in seconds."""

    def __init__(self, wall: Callable[[], float], shards: int = SHARDS) -> None:
        self.wall = wall
        self._missing = set(range(shards))
        self._digests: list[tuple[str, ...]] = [()] * shards
        self._grants: dict[str, Grant] = {}
        self._accounts = Accounts()
        self.epoch = 0

    def replace(self, number: int, shard: Shard) -> None:
        """Put `shard` in place of what the shard of that number held; its keys count from this moment."""
        # made before the old ones let go of their accounts
        grants: dict[str, Grant] = {key.sha256: self._grant(key) for key in shard.keys}
        for digest in self._digests[number]:
            self._grants.pop(digest, None)
        self._grants.update(grants)
        self._digests[number] = tuple(key.sha256 for key in shard.keys)
        self._missing.discard(number)
        self.epoch += 1

    def find(self, presented: Credentials) -> Grant:
        """Return the grant of a presented key. Raises RefusalError 401 when there is none, or no longer."""
        grant = self._grants.get(hashlib.sha256(presented.key).hexdigest())
        if grant is None:
            raise unauthorized("the API key is not known here: it is wrong or was revoked")
        if grant.expires <= self.wall():
            raise unauthorized("the API key has expired: read the current one from its Secret")
        if presented.username is not None and presented.username not in grant.usernames:
            raise unauthorized("the user of Basic authentication must be token, or the key's own user name")
        return grant

    def current(self, grant: Grant) -> Grant:
        """Return the grant that its key has now. Raises RefusalError 401 when it was revoked or has expired since."""
        now = self._grants.get(grant.digest)
        if now is None or now.expires <= self.wall():
            raise unauthorized("the API key was revoked, or has expired, while the request came in")
        return now

    @property
    def missing(self) -> list[int]:
        """The numbers of the shards that were never seen."""
        return sorted(self._missing)

    def __len__(self) -> int:
        return len(self._grants)

    def _grant(self, key: KeyGrant) -> Grant:
        account = self._accounts.of(key.owner)
        account.limit(key.limits)
        return Grant(
            digest=key.sha256,
            key_id=key.id,
            usernames=frozenset({b"token", key.username.encode() or b"token"}),
            names=frozenset(name for name in key.topics if permits((name,), name) and "*" not in name),
            patterns=key.topics,
            expires=math.inf if key.expires_at is None else key.expires_at.timestamp(),
            account=account,
        )
