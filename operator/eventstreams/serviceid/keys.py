"""Generations of a service ID's key: what becomes of each, decided from status and Secret. Pure.

A key is made in the order Pending (digest in status) → keyring → Secret → Active, so that a crash between any two
steps leaves one of two things: a Pending key that the Secret holds too (go on with it) or one that it does not (the
text is lost: forget it and mint anew). An Active key that the Secret no longer holds goes on working for `OVERLAP`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eventstreams.api.serviceid import KeyState, KeyStatus
from eventstreams.core.apikey import ApiKey

OVERLAP: Final = timedelta(hours=24)
"""How long a replaced key goes on working: clients that still hold it have a day to read the Secret again."""


@dataclass(frozen=True, slots=True)
class Held:
    """The key in the credentials Secret, with what its annotations say of it."""

    key: ApiKey
    generation: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What status has to hold before anything else happens.

    `current` is the one of `keys` whose text the Secret holds; None: a new key has to be minted.
    """

    keys: tuple[KeyStatus, ...]
    current: KeyStatus | None


def judge(keys: Sequence[KeyStatus], held: Held | None, now: datetime) -> Verdict:
    """Decide what becomes of each key. `held` is None when the Secret is missing or holds no whole key.

    A Retiring or unknown key in the Secret is no current key: putting an old Secret back undoes no replacement. Only
    where status knows no key at all (a restore dropped it) is the Secret's word taken.
    """
    alive = tuple(key for key in keys if not _is_over(key, now))
    if not keys and held is not None:
        alive = (_pending(held.key, held.generation, held.created_at),)
    current = next((key for key in alive if held is not None and _is_current(key, held)), None)
    kept = (key if key is current else _replaced(key, now) for key in alive)
    return Verdict(tuple(key for key in kept if key is not None), current)


def next_key(keys: Sequence[KeyStatus], key: ApiKey, now: datetime) -> KeyStatus:
    """Return the status of a freshly minted key: Pending, of the generation after the last."""
    return _pending(key, max((one.generation for one in keys), default=0) + 1, now)


def activated(keys: Sequence[KeyStatus], current: KeyStatus) -> tuple[KeyStatus, ...]:
    """Return `keys` with the current one Active."""
    active = {"state": KeyState.ACTIVE}
    return tuple(key.model_copy(update=active) if key.id == current.id else key for key in keys)


def seconds_to_next_end(keys: Sequence[KeyStatus], now: datetime) -> float | None:
    """Return the seconds until the next key ends, None when none does."""
    ends = [key.expires_at for key in keys if key.expires_at is not None]
    return max(0.0, (min(ends) - now).total_seconds()) if ends else None


def _is_over(key: KeyStatus, now: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _is_current(key: KeyStatus, held: Held) -> bool:
    serving = key.state in {KeyState.PENDING, KeyState.ACTIVE}
    return serving and key.id == held.key.id and key.sha256 == held.key.digest


def _replaced(key: KeyStatus, now: datetime) -> KeyStatus | None:
    """Return what a key becomes that the Secret does not hold: a Pending one goes, an Active one retires."""
    match key.state:
        case KeyState.PENDING:
            return None
        case KeyState.ACTIVE:
            return key.model_copy(update={"state": KeyState.RETIRING, "expires_at": now + OVERLAP})
        case _:
            return key


def _pending(key: ApiKey, generation: int, created_at: datetime) -> KeyStatus:
    return KeyStatus(id=key.id, generation=generation, sha256=key.digest, created_at=created_at, state=KeyState.PENDING)
