"""Newline-delimited JSON: each line is one JSON value, and stored as one record."""

import re
from collections.abc import Sequence
from typing import Final

from eventstreams.producer.answers import JSON, RefusalError, error_body
from eventstreams.producer.formats import Body, Bounds, Outcome, check_partition, metadata
from eventstreams.producer.json_text import check_json
from eventstreams.producer.record import Attributes, Record, Stored

_LINE: Final = re.compile(rb"[^\n]+")


class NDJSON:
    """See the head of this module. Key, headers, partition and timestamp of the query are those of each record."""

    content_type = JSON
    too_large = 400

    def records(self, body: bytes, like: Attributes, bounds: Bounds) -> list[Record]:
        """Return a record for each line that is not empty, its line end left out."""
        check_partition(like, bounds.partitions)
        limits = bounds.limits
        found: list[Record] = []
        for match in _LINE.finditer(body):
            line = match[0].removesuffix(b"\r")
            if not line.strip(b" \t\r"):
                continue
            if len(found) == limits.request_records:
                raise RefusalError(400, f"the body has more than {limits.request_records} records; no record was sent")
            try:
                _check(line, limits.message_bytes)
            except RefusalError as refusal:
                number = body.count(b"\n", 0, match.start()) + 1
                raise RefusalError(400, f"line {number}: {refusal.message}; no record was sent") from None
            found.append(Record(like.key, like.headers, like.partition, like.timestamp_ms, value=line))
        if not found:
            raise RefusalError(411, "the request has no data: send a line of JSON for each record")
        return found

    def answer(self, topic: str, outcomes: Sequence[Outcome]) -> Body:
        """Return where each record is; raise the refusal of the whole, with the outcome of each, unless all are."""
        results = [_result(topic, outcome) for outcome in outcomes]
        refusals = [outcome for outcome in outcomes if isinstance(outcome, RefusalError)]
        if not refusals:
            return {"results": results}
        refusal = _whole(refusals, len(outcomes))
        refusal.details = {"results": results}
        raise refusal

    def error(self, refusal: RefusalError, incident: str) -> Body:
        """Return the contract's own shape, with `results` when records were sent."""
        return error_body(refusal, incident)


def _check(line: bytes, most: int) -> None:
    if len(line) > most:
        raise RefusalError(400, f"it has {len(line)} bytes, the limit of a record is {most}")
    check_json(line, "it")


def _result(topic: str, outcome: Outcome) -> Body:
    if isinstance(outcome, Stored):
        return {"metadata": metadata(topic, outcome)}
    error: Body = {"error_code": outcome.status, "message": outcome.message}
    if outcome.kafka_error_code is not None:
        error["kafka_error_code"] = outcome.kafka_error_code
    return {"error": error}


def _whole(refusals: list[RefusalError], records: int) -> RefusalError:
    """Return what the refusals of some records make of all.

    408 as soon as one may be stored, 500 when some are and some are not; when none is, the refusal that can be tried
    again, if there is one.
    """
    lost = len(refusals)
    unknown = sum(refusal.status == 408 for refusal in refusals)  # noqa: PLR2004
    told = "results tells of each"
    if unknown:
        text = f"Kafka did not confirm {unknown} of {records} records: they may or may not be stored; {told}"
        return RefusalError(408, text)
    if lost < records:
        return RefusalError(500, f"{lost} of {records} records are not stored, the others are; {told}")
    first = min(refusals, key=lambda refusal: refusal.status != 503)  # noqa: PLR2004
    return RefusalError(
        first.status,
        f"no record is stored: {first.message}; {told}",
        kafka_error_code=first.kafka_error_code,
        headers=first.headers,
    )
