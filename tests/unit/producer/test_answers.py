"""Answers as bytes."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from eventstreams.producer.answers import Answers, RefusalError

MILLISECONDS = st.integers(0, 4_102_444_800_000)


@given(st.lists(MILLISECONDS, min_size=1), st.integers(0, 2**31), st.integers(0, 2**63))
def test_the_timestamp_is_rfc_3339_in_utc_with_milliseconds(times: list[int], partition: int, offset: int) -> None:
    answers = Answers(lambda: 0.0)
    for time in times:
        metadata = json.loads(answers.stored("orders", partition, offset, time).body)["metadata"]

        expected = datetime.fromtimestamp(time // 1000, UTC).replace(microsecond=time % 1000 * 1000)
        assert metadata["timestamp"] == expected.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        assert (metadata["partition"], metadata["offset"]) == (partition, offset)


def test_the_date_follows_the_clock() -> None:
    now = 784_111_777.0
    answers = Answers(lambda: now)
    first = answers.date()
    now += 1

    assert (first, answers.date()) == (b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:38 GMT")


def test_the_length_is_the_bodys_and_the_end_tells_the_connections_fate() -> None:
    answer = Answers(lambda: 0.0).refused(RefusalError(404, "é"), "i1")

    assert f"Content-Length: {len(answer.body)}\r\n".encode() in answer.head
    assert answer.render(last=True, bodiless=False).endswith(b"\r\nConnection: close\r\n\r\n" + answer.body)
    assert answer.render(last=False, bodiless=True).endswith(b"\r\n\r\n")
