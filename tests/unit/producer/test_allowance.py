"""What an owner may ask, and what may wait for Kafka."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.core.keyring import KeyLimits
from eventstreams.producer.allowance import LONGEST_RETRY_SECONDS, Account, Accounts, LaterError, Rate, Reason, Window


def limited(requests: int | None = None, size: int | None = None) -> Account:
    account = Account()
    account.limit(KeyLimits(requests, size))
    return account


def passes(account: Account, size: int, now: float) -> bool:
    try:
        account.spend(size, now)
    except LaterError:
        return False
    return True


def retry_after(error: LaterError) -> int:
    return int(error.headers["Retry-After"])


@given(
    rate=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 0.2), min_size=1, max_size=300),
)
def test_in_any_time_no_more_passes_than_its_seconds_and_one_more_are_worth(rate: int, gaps: list[float]) -> None:
    account, now, passed = limited(rate), 0.0, 0
    for gap in gaps:
        now += gap
        passed += passes(account, 1, now)

    assert passed <= rate * (now + 1) + 1e-3


@given(
    rate=st.integers(1, 2000),
    sizes=st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 1)), min_size=1, max_size=100),
)
def test_bytes_hold_over_time_though_a_large_body_passes(rate: int, sizes: list[tuple[int, float]]) -> None:
    account, now, passed = limited(size=rate), 0.0, 0
    for size, gap in sizes:
        now += gap
        passed += size * passes(account, size, now)

    assert passed <= rate * (now + 1) + 5000


@given(rate=st.integers(1, 1000), body=st.integers(1, 20_000), limits_bytes=st.booleans())
def test_who_waits_as_long_as_it_is_told_is_let_pass(rate: int, body: int, *, limits_bytes: bool) -> None:
    account = limited(size=rate) if limits_bytes else limited(rate)
    while passes(account, body, 0.0):
        pass
    with pytest.raises(LaterError) as refusal:
        account.spend(body, 0.0)

    assert passes(account, body, float(retry_after(refusal.value)))


def test_a_burst_of_one_seconds_worth_passes_and_then_no_more() -> None:
    account = limited(10)

    assert [passes(account, 1, 100.0) for _ in range(12)] == [True] * 10 + [False] * 2


@pytest.mark.parametrize(
    ("account", "reason", "says"),
    [
        (
            limited(requests=1),
            Reason.REQUESTS,
            "limit of 1 requests a second.* spec.limits.perReplica.requestsPerSecond; not",
        ),
        (
            limited(size=100),
            Reason.BYTES,
            "limit of 100 bytes a second.* spec.limits.perReplica.bytesPerSecond; not stored",
        ),
    ],
)
def test_429_names_the_limit_its_cure_and_when_to_come_again(account: Account, reason: Reason, says: str) -> None:
    account.spend(700, 0.0)

    with pytest.raises(LaterError, match=says) as refusal:
        account.spend(1, 0.0)

    assert (refusal.value.status, refusal.value.reason) == (429, reason)
    assert retry_after(refusal.value) == (1 if reason is Reason.REQUESTS else 7)


def test_what_is_refused_for_its_bytes_costs_no_request() -> None:
    account = limited(requests=2, size=10)
    account.spend(50, 0.0)
    assert not passes(account, 1, 0.0)
    account.limit(KeyLimits(2, None))

    assert [passes(account, 1, 0.0) for _ in range(2)] == [True, False]


def test_new_limits_keep_what_was_taken() -> None:
    account = limited(10)
    while passes(account, 1, 0.0):
        pass

    account.limit(KeyLimits(100))
    assert not passes(account, 1, 0.0)
    account.limit(KeyLimits(1))
    assert [passes(account, 1, 5.0) for _ in range(2)] == [True, False]


def test_who_is_over_both_limits_is_told_the_later_moment() -> None:
    account = limited(2, 5000)
    for size in (1, 50_000):
        account.spend(size, 0.0)

    with pytest.raises(LaterError) as told:
        account.spend(1, 0.0)

    assert told.value.reason == Reason.BYTES
    assert passes(account, 1, float(told.value.headers["Retry-After"]))


def test_limits_that_are_gone_limit_nothing() -> None:
    account = limited(1, 1)

    account.limit(None)

    assert not account.is_limited
    assert all(passes(account, 1000, 0.0) for _ in range(100))


def test_a_rate_is_that_of_this_second_or_of_the_one_before() -> None:
    rate = Rate()

    assert [rate.note(moment) for moment in (10.0, 10.2, 10.9, 11.1, 12.2, 12.3, 14.5)] == [1, 2, 3, 3, 1, 2, 1]


def test_keys_of_one_owner_share_an_account_until_nobody_holds_it() -> None:
    accounts = Accounts()
    held = accounts.of("apps/a")
    assert accounts.of("apps/a") is held
    assert accounts.of("apps/b") is not held

    del held
    gc.collect()

    assert len(accounts) == 0


class Kafka:
    """A window and its time."""

    def __init__(self, records: int = 100, size: int = 10_000) -> None:
        self.now = 0.0
        self.window = Window(records=records, size=size, clock=lambda: self.now)

    def fill(self, account: Account, size: int = 1, records: int = 1) -> int:
        """Send until there is no more room, and return how often that went."""
        for times in range(10_000):
            try:
                self.window.take(account, records, size)
            except LaterError:
                return times
        raise AssertionError("the window has no end")

    def refusal(self, account: Account) -> LaterError:
        with pytest.raises(LaterError) as refusal:
            self.window.take(account, 1, 1)
        return refusal.value


def test_one_owner_alone_holds_half_of_the_window() -> None:
    assert Kafka(records=100).fill(Account()) == 50
    assert Kafka(size=10_000).fill(Account(), size=100) == 50


def test_each_owner_that_comes_finds_room_and_what_is_left_is_halved() -> None:
    kafka = Kafka(records=100)

    assert [kafka.fill(Account()) for _ in range(4)] == [50, 25, 13, 6]


def test_owners_that_ask_all_the_time_come_to_hold_equal_parts() -> None:
    kafka, accounts = Kafka(records=100), [Account() for _ in range(3)]
    for turn in range(2000):
        kafka.fill(accounts[turn % 3])
        fullest = max(accounts, key=lambda account: account.records)
        kafka.window.give(fullest, 1, 1)

    assert all(24 <= account.records <= 26 for account in accounts)


def test_a_request_of_many_records_counts_each() -> None:
    assert Kafka(records=100).fill(Account(), records=10) == 5


def test_the_largest_body_has_its_way_at_any_size_of_the_window() -> None:
    assert Kafka(size=10).fill(Account(), size=1000) == 1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 50), st.integers(1, 3000)), max_size=300))
def test_the_window_is_never_above_its_size_and_one_request(tries: list[tuple[int, int, int]]) -> None:
    kafka, accounts = Kafka(), [Account() for _ in range(5)]
    for number, records, size in tries:
        try:
            kafka.window.take(accounts[number], records, size)
        except LaterError:
            continue

    assert kafka.window.records < 100 + 50
    assert kafka.window.bytes < 10_000 + 3000


def test_what_is_given_back_makes_room() -> None:
    kafka, account = Kafka(records=2), Account()
    kafka.window.take(account, 1, 5)
    assert kafka.fill(account) == 0

    kafka.window.give(account, 1, 5)

    assert (kafka.window.records, kafka.window.bytes, account.records, account.bytes) == (0, 0, 0, 0)
    assert kafka.fill(account) == 1


def test_503_says_whether_the_owner_or_the_process_has_too_much_in_flight() -> None:
    kafka, greedy = Kafka(records=2), Account()
    kafka.fill(greedy)
    share = kafka.refusal(greedy)
    kafka.fill(Account())
    window = kafka.refusal(Account())

    assert [(one.status, one.reason) for one in (share, window)] == [(503, Reason.SHARE), (503, Reason.WINDOW)]
    assert "this ServiceID" in share.message
    assert all(one.message.endswith("; not stored") for one in (share, window))


@pytest.mark.parametrize(
    ("drained", "seconds"),
    [(100, 1), (25, 2), (10, 5), (1, LONGEST_RETRY_SECONDS), (0, LONGEST_RETRY_SECONDS)],
)
def test_retry_after_is_how_long_what_is_in_flight_takes_at_the_rate_of_late(drained: int, seconds: int) -> None:
    kafka, account = Kafka(records=100), Account()
    kafka.fill(account)
    kafka.window.look()
    for _ in range(drained):
        kafka.window.give(account, 1, 1)
        kafka.fill(account)
    kafka.now += 1
    kafka.window.look()

    assert retry_after(kafka.refusal(account)) == seconds


def test_retry_after_is_a_second_when_nothing_is_known_of_late() -> None:
    kafka, account = Kafka(), Account()
    kafka.now += 100
    kafka.window.look()
    kafka.fill(account)

    assert retry_after(kafka.refusal(account)) == 1
