"""Heads that were seen before are read as if they were new."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.core.keyring import KeyGrant, Shard
from eventstreams.producer import recall
from unit.producer.rig import GRANT, KEY, NOW, OTHER_KEY, Rig, post

LINES = [
    f"{method} {target} HTTP/1.{minor}\r\n"
    for method in ("POST", "HEAD")
    for target in (
        "/topics/orders/records",
        "/topics/pay-1/records",
        "/topics/orders/records?key=a&headers=a:00",
        "/topics/orders/records?key=%",
        "/topics/orders/records?schemaname=a",
        "/topics/%6Frders/records",
        "/topics/other/records",
        "/topics/../records",
        "/topics/orders",
        "/v2/topics/orders/records",
        "http://es/topics/orders/records",
        "/ready",
    )
    for minor in (0, 1)
]
BLOCKS = [
    f"Host: es\r\nAuthorization: Bearer {key}\r\nContent-Type: {kind}\r\n{further}\r\n"
    for key in (KEY.reveal(), OTHER_KEY.reveal())
    for kind in ("text/plain", "application/json", "application/x-ndjson", "a/b")
    for further in (
        "Content-Length: 1\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 1\r\nConnection: close\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 1\r\nExpect: 100-continue\r\n",
    )
]


def outcome(rig: Rig, line: str, block: str) -> object:
    """Return what is answered, but for its incident, and what is stored."""
    rig.kafka.stored.clear()
    wire = rig.talk([(line + block).encode(), b"1\r\n7\r\n0\r\n\r\n" if "chunked" in block else b"7"])
    head, _, body = bytes(wire.written).partition(b"\r\n\r\n")
    stored = [(one.topic, one.value, one.beside.key, one.beside.headers) for one in rig.kafka.stored]
    return head, body if stored else b"", stored, wire.has_ended


@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(BLOCKS)), min_size=2, max_size=8))
def test_a_head_is_judged_as_if_nothing_had_been_seen_before(requests: list[tuple[str, str]]) -> None:
    seasoned = Rig()

    for line, block in requests:
        assert outcome(seasoned, line, block) == outcome(Rig(), line, block)


def test_what_was_seen_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.talk([post()])
    monkeypatch.setattr("eventstreams.producer.framing.read_head", lambda *_: pytest.fail("read in full"))

    for target in ("/topics/orders/records", "/topics/pay-1/records?key=b"):
        assert rig.talk([post(target)]).statuses == [200]

    assert [one.beside.key for one in rig.kafka.stored] == [None, None, b"b"]


def test_a_key_that_was_revoked_since_is_refused() -> None:
    rig = Rig()
    assert rig.talk([post(), post()]).statuses == [200, 200]

    rig.keys.replace(0, Shard(2, ()))

    assert rig.talk([post()]).statuses == [401]


def test_a_right_that_was_withdrawn_since_is_refused() -> None:
    rig = Rig()
    assert rig.talk([post(), post()]).statuses == [200, 200]

    rig.keys.replace(0, Shard(2, (KeyGrant(KEY.id, KEY.digest, "apps/orders", ("other",)),)))

    assert rig.talk([post()]).statuses == [403]


def test_a_key_that_expired_since_is_refused() -> None:
    rig = Rig()
    expires = datetime.fromtimestamp(NOW + 10, UTC)
    rig.keys.replace(0, Shard(2, (KeyGrant(KEY.id, KEY.digest, "apps/orders", ("orders",), expires),)))
    assert rig.talk([post(), post()]).statuses == [200, 200]

    rig.wall += 10

    assert rig.talk([post()]).statuses == [401]


def test_no_key_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[object] = []
    note = recall.Recall.note

    def seen(self: recall.Recall, *arguments: object) -> None:
        note(self, *arguments)  # type: ignore[arg-type]  # as they came
        held.append(self.__dict__["_blocks"])

    monkeypatch.setattr(recall.Recall, "note", seen)

    Rig().talk([post()])

    assert "_Block" in repr(held)
    assert KEY.reveal() not in repr(held)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "MOST_BLOCKS", 3)
    monkeypatch.setattr(recall, "MOST_LINES", 2)
    rig = Rig()
    rig.keys.replace(0, Shard(2, (KeyGrant(GRANT.id, GRANT.sha256, "apps/orders", ("*",)),)))

    for number in range(10):
        rig.kafka.topics[f"topic-{number}"] = 1
        assert rig.talk([post(f"/topics/topic-{number}/records")]).statuses == [200]
        assert rig.talk([post("/topics/orders/records", b"hello", f"X-Id: {number}")]).statuses == [200]

    blocks = rig.endpoint.__dict__["_recall"].__dict__["_blocks"]
    assert len(blocks) <= 3
    assert all(len(block.orders) <= 2 for block in blocks.values())
