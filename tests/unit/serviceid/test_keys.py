"""What becomes of each generation of a key."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from eventstreams.api.serviceid import KeyState, KeyStatus
from eventstreams.serviceid.keys import OVERLAP, Held, activated, judge, next_key, seconds_to_next_end
from unit.serviceid.samples import NOW, key_status, some_key

HELD = Held(some_key(1), 1, NOW)
LATER = NOW + timedelta(hours=1)
FAR = NOW + timedelta(days=1000)


def test_an_active_key_that_the_secret_holds_stays_as_it_is() -> None:
    verdict = judge((key_status(1),), HELD, LATER)
    assert verdict.keys == (key_status(1),)
    assert verdict.current == key_status(1)


def test_with_no_key_anywhere_one_has_to_be_minted() -> None:
    verdict = judge((), None, NOW)
    assert (verdict.keys, verdict.current) == ((), None)


def test_a_pending_key_that_the_secret_holds_is_gone_on_with() -> None:
    pending = key_status(1, KeyState.PENDING)
    assert judge((pending,), HELD, LATER).current == pending


def test_a_pending_key_whose_text_is_lost_is_forgotten() -> None:
    verdict = judge((key_status(1, KeyState.PENDING),), None, LATER)
    assert (verdict.keys, verdict.current) == ((), None)


def test_an_active_key_retires_for_the_overlap_when_the_secret_is_missing() -> None:
    verdict = judge((key_status(1),), None, LATER)
    assert verdict.current is None
    assert verdict.keys == (key_status(1, KeyState.RETIRING, expires_at=LATER + OVERLAP),)


def test_an_active_key_retires_when_the_secret_holds_another() -> None:
    verdict = judge((key_status(1),), Held(some_key(2), 2, NOW), LATER)
    assert verdict.current is None
    assert [key.state for key in verdict.keys] == [KeyState.RETIRING]


def test_a_key_with_the_right_id_and_another_text_is_not_the_key() -> None:
    forged = key_status(1).model_copy(update={"sha256": "0" * 64})
    assert judge((forged,), HELD, LATER).current is None


def test_a_retiring_key_put_back_into_the_secret_is_not_current_again() -> None:
    retiring = key_status(1, KeyState.RETIRING, expires_at=LATER)
    verdict = judge((retiring,), HELD, NOW)
    assert (verdict.keys, verdict.current) == ((retiring,), None)


def test_a_retiring_key_is_forgotten_at_its_end_and_not_a_second_earlier() -> None:
    keys = (key_status(1), key_status(2, KeyState.RETIRING, expires_at=LATER))
    assert len(judge(keys, HELD, LATER - timedelta(seconds=1)).keys) == 2
    assert judge(keys, HELD, LATER).keys == (key_status(1),)


def test_where_status_knows_no_key_the_secrets_word_is_taken() -> None:
    verdict = judge((), replace(HELD, generation=7), LATER)
    assert verdict.current == key_status(1, KeyState.PENDING, generation=7, created_at=NOW)
    assert verdict.keys == (verdict.current,)


def test_where_status_knows_other_keys_the_secrets_word_is_not_taken() -> None:
    retiring = key_status(2, KeyState.RETIRING, expires_at=LATER)
    assert judge((retiring,), HELD, NOW).current is None


def test_a_new_key_is_pending_and_of_the_next_generation() -> None:
    kept = (key_status(1, KeyState.RETIRING, generation=4, expires_at=LATER),)
    assert next_key(kept, some_key(2), LATER) == key_status(2, KeyState.PENDING, generation=5, created_at=LATER)


def test_activation_touches_no_other_key() -> None:
    retiring, pending = key_status(1, KeyState.RETIRING, expires_at=LATER), key_status(2, KeyState.PENDING)
    assert activated((retiring, pending), pending) == (retiring, key_status(2))


def test_the_next_end_is_the_nearest_one() -> None:
    keys = (key_status(1), key_status(2, expires_at=LATER), key_status(3, expires_at=LATER + OVERLAP))
    assert seconds_to_next_end(keys, NOW) == 3600
    assert seconds_to_next_end(keys[:1], NOW) is None
    assert seconds_to_next_end(keys, LATER + OVERLAP) == 0


moments = st.none() | st.integers(-48, 48).map(lambda hours: NOW + timedelta(hours=hours))
statuses = st.lists(
    st.builds(
        lambda number, state, end: key_status(number, state, generation=number, expires_at=end),
        st.integers(1, 6),
        st.sampled_from(KeyState),
        moments,
    ),
    unique_by=lambda key: key.id,
    max_size=5,
).map(tuple)
held = st.none() | st.integers(1, 6).map(lambda number: Held(some_key(number), number, NOW))


@given(statuses, held)
def test_judging_a_verdict_again_changes_nothing(keys: tuple[KeyStatus, ...], seen: Held | None) -> None:
    first = judge(keys, seen, NOW)
    if keys and not first.keys:
        return  # every key was over: what the Secret holds is judged anew
    assert judge(first.keys, seen, NOW) == first


@given(statuses, held)
def test_a_serving_key_is_never_cut_off_by_a_verdict(keys: tuple[KeyStatus, ...], seen: Held | None) -> None:
    ends = {key.id: key.expires_at or FAR for key in judge(keys, seen, NOW).keys}
    for key in keys:
        if key.state is KeyState.ACTIVE and (key.expires_at or FAR) > NOW:
            assert ends[key.id] > NOW


@given(statuses, held)
def test_after_a_verdict_no_key_is_active_or_pending_but_the_current_one(
    keys: tuple[KeyStatus, ...], seen: Held | None
) -> None:
    verdict = judge(keys, seen, NOW)
    serving = [key for key in verdict.keys if key.state in {KeyState.ACTIVE, KeyState.PENDING}]
    assert serving == ([verdict.current] if verdict.current else [])
