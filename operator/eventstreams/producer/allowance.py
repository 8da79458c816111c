"""How much the keys of one ServiceID may ask: its rate limits, and its share of what waits for Kafka. Pure.

All keys of an owner (`namespace/name` of a ServiceID) share an `Account`. It outlives changes of the keyring as long as
one of its keys is known, or one of its records is in flight.
"""

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Final
from weakref import WeakValueDictionary

from eventstreams.core.keyring import KeyLimits
from eventstreams.producer.answers import RefusalError

LONGEST_RETRY_SECONDS: Final = 30
"""A `Retry-After` of the window is an estimate: Kafka may be faster by then."""

_ONE: Final = 1 - 1e-6  # a unit, but for the rounding of floats


class Reason(StrEnum):
    """Why a client is to come later."""

    REQUESTS = "requests_per_second"
    BYTES = "bytes_per_second"
    WINDOW = "window"
    """The process has all in flight to Kafka that it lets wait."""
    SHARE = "share"
    """The owner has as much in flight as it may, others still have room."""


class LaterError(RefusalError):
    """Nothing is wrong with the request but its moment. `seconds` becomes Retry-After, in whole seconds, at least 1."""

    def __init__(self, status: int, reason: Reason, message: str, seconds: float) -> None:
        retry = {"Retry-After": str(max(1, math.ceil(seconds)))}
        super().__init__(status, f"{message}; not stored", headers=retry)
        self.reason: Final = reason


class Bucket:
    """Units that come back at `rate` a second, up to one second's worth.

    One unit suffices to pass; what was taken beyond is a debt that is waited for. So a body that is larger than a
    second's worth is not refused for ever, and the rate holds over time.
    """

    __slots__ = ("_at", "_level", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._level = float(rate)
        self._at = -math.inf

    def wait(self, now: float) -> float:
        """Return the seconds until something may pass: 0 is now."""
        self._level = min(self.rate, self._level + (now - self._at) * self.rate)
        self._at = now
        return 0.0 if self._level >= _ONE else (1 - self._level) / self.rate

    def take(self, units: int) -> None:
        """Take units, after `wait` returned 0."""
        self._level -= units

    def change(self, rate: int) -> None:
        """Go on at another rate; what is owed stays owed."""
        self.rate = rate
        self._level = min(rate, self._level)


class Rate:
    """How many came in this second, or in the one before if those were more."""

    __slots__ = ("_before", "_count", "_since")

    def __init__(self) -> None:
        self._count = self._before = 0
        self._since = -math.inf

    def note(self, now: float) -> int:
        """Count one more, and return how many."""
        if now >= self._since + 1:
            self._before = self._count if now < self._since + 2 else 0
            self._since, self._count = now, 0
        self._count += 1
        return max(self._count, self._before)


class Account:
    """What an owner's keys asked together, and what they have in flight. `is_limited`: `spend` has something to say."""

    __slots__ = (
        "__weakref__",
        "_requests",
        "_size",
        "bytes",
        "coming",
        "crowd",
        "crowded_until",
        "is_limited",
        "little",
        "records",
        "requests",
    )

    def __init__(self) -> None:
        self.requests = self.records = self.bytes = 0
        """In flight; kept by `Window`."""
        self.coming = 0
        """Bytes of bodies that come in; likewise."""
        self.crowd, self.crowded_until = 0, 0.0
        """How large a crowd its records are, and until when at least; kept by `Delivery`."""
        self.little = Rate()
        """Its records while they are few beside another's crowd; likewise."""
        self.is_limited = False
        self._requests: Bucket | None = None
        self._size: Bucket | None = None

    def limit(self, limits: KeyLimits | None) -> None:
        """Set the limits; those that stay keep what was taken from them."""
        limits = limits or KeyLimits()
        self._requests = _changed(self._requests, limits.requests_per_second)
        self._size = _changed(self._size, limits.bytes_per_second)
        self.is_limited = self._requests is not None or self._size is not None

    def spend(self, size: int, now: float) -> None:
        """Count a request with a body of `size` bytes. Raises LaterError 429, having counted nothing."""
        requests, sizes = self._requests, self._size
        pause = 0.0 if requests is None else requests.wait(now)
        pause_for_bytes = 0.0 if sizes is None else sizes.wait(now)
        if requests is not None and pause and pause >= pause_for_bytes:
            raise _over(Reason.REQUESTS, f"{requests.rate} requests", "requestsPerSecond", pause)
        if sizes is not None and pause_for_bytes:
            raise _over(Reason.BYTES, f"{sizes.rate} bytes", "bytesPerSecond", pause_for_bytes)
        if requests is not None:
            requests.take(1)
        if sizes is not None:
            sizes.take(size)


class Accounts:
    """The accounts of the owners that have keys. An account is forgotten when nothing refers to it any more."""

    def __init__(self) -> None:
        self._accounts: WeakValueDictionary[str, Account] = WeakValueDictionary()

    def of(self, owner: str) -> Account:
        """Return the account of an owner. Hold it: it lives as long as somebody does."""
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = Account()
        return account

    def __len__(self) -> int:
        return len(self._accounts)


class Intake:
    """What is kept of one body that is coming in: who begins bodies and does not end them fills no memory."""

    __slots__ = ("_account", "_size", "_window")

    def __init__(self, window: "Window", account: Account) -> None:
        self._window = window
        self._account = account
        self._size = 0

    def add(self, size: int) -> bool:
        """Count so many bytes more; False when the owner keeps too many."""
        is_held = self._window.hold(self._account, size, self._size)
        if is_held:
            self._size += size
        return is_held

    def end(self) -> None:
        """Count none any more."""
        self._window.let_go(self._account, self._size)
        self._size = 0


class Window:
    """What Kafka has not confirmed yet, of the whole process; and apart from that as many bytes of bodies that come in.

    An owner may add to it while it has less in flight than is left free: alone it gets half of the window, beside
    another one that asks for all it can a third, and there is always room for one that comes new. That is the dynamic
    threshold of shared-memory switches (Choudhury and Hahne, 1998): it needs no list of who is active. One request
    may go beyond, so that the largest body has its way at any size of the window.
    """

    __slots__ = (
        "_before",
        "_clock",
        "_drained",
        "_free",
        "_free_bytes",
        "_free_coming",
        "_has_waited",
        "_looked",
        "_since",
        "_sizes",
    )

    def __init__(self, *, records: int, size: int, clock: Callable[[], float]) -> None:
        self._sizes = records, size
        self._free, self._free_bytes, self._free_coming = records, size, size
        self._clock = clock
        self._since = self._looked = clock()
        self._before = self._drained = 0  # between these two moments, and since the later
        self._has_waited = False

    @property
    def records(self) -> int:
        """Records in flight."""
        return self._sizes[0] - self._free

    @property
    def bytes(self) -> int:
        """Bytes in flight."""
        return self._sizes[1] - self._free_bytes

    @property
    def coming(self) -> int:
        """Bytes of bodies that come in."""
        return self._sizes[1] - self._free_coming

    def take(self, account: Account, records: int, size: int) -> None:
        """Count a request whose records go to Kafka. Raises LaterError 503, having counted nothing."""
        if account.records >= self._free or account.bytes >= self._free_bytes:
            raise self._full()
        account.requests += 1
        account.records += records
        account.bytes += size
        self._free -= records
        self._free_bytes -= size

    def give(self, account: Account, records: int, size: int) -> None:
        """Give back what a request took, once Kafka has confirmed it, or never got it."""
        account.requests -= 1
        account.records -= records
        account.bytes -= size
        self._free += records
        self._free_bytes += size
        self._drained += records

    def hold(self, account: Account, size: int, held: int) -> bool:
        """Count bytes that come in, of a body that holds `held`; False when they are too many, and are not counted.

        A body is judged anew with each piece, as if it were new then: who begins many small ones and has them grow gets
        no more than others, and the largest has its way at any size.
        """
        if account.coming - held >= self._free_coming + held:
            return False
        account.coming += size
        self._free_coming -= size
        return True

    def let_go(self, account: Account, size: int) -> None:
        """Give back what was held."""
        account.coming -= size
        self._free_coming += size

    def too_much_comes_in(self) -> LaterError:
        """Return the refusal of a body that was not held."""
        if self._free_coming <= 0:
            return LaterError(503, Reason.WINDOW, "too many bodies come in already", 1)
        message = "too many bodies of this ServiceID come in already: send fewer at a time"
        return LaterError(503, Reason.SHARE, message, 1)

    def look(self) -> None:
        """Note how fast Kafka confirms. Called about once a second."""
        self._has_waited = self._drained == 0 and self.records > 0
        self._before, self._drained = self._drained, 0
        self._since, self._looked = self._looked, self._clock()

    def _full(self) -> LaterError:
        if self._free <= 0 or self._free_bytes <= 0:
            message = "too many records wait for Kafka already"
            return LaterError(503, Reason.WINDOW, message, self._seconds())
        message = "too many records of this ServiceID wait for Kafka already: leave fewer unanswered at a time"
        return LaterError(503, Reason.SHARE, message, self._seconds())

    def _seconds(self) -> float:
        """Return how long all that is in flight takes at the rate of the last second or two."""
        drained = self._before + self._drained
        if drained:
            return min(LONGEST_RETRY_SECONDS, self.records * (self._clock() - self._since) / drained)
        return LONGEST_RETRY_SECONDS if self._has_waited else 1


def _changed(bucket: Bucket | None, rate: int | None) -> Bucket | None:
    if rate is None:
        return None
    if bucket is None:
        return Bucket(rate)
    bucket.change(rate)
    return bucket


def _over(reason: Reason, limit: str, field: str, seconds: float) -> LaterError:
    message = (
        f"the ServiceID's limit of {limit} a second for each replica is used up: "
        f"send less, or raise spec.limits.perReplica.{field}"
    )
    return LaterError(429, reason, message, seconds)
