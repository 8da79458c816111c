"""What the answer to a stored record may say in the contract's `Comment`."""

from typing import Final

ENVELOPE: Final = (
    b"this body was stored as it is, as one record; it looks like an envelope of Kafka's REST proxies: "
    b"here the body is the value, key and headers go into the query"
)


def comment(value: object) -> bytes:
    """Return a hint when the JSON value looks like an envelope of Confluent's or Strimzi's proxy, else nothing."""
    if not isinstance(value, dict) or "records" not in value:
        return b""
    records = value["records"]
    is_envelope = isinstance(records, list) and all(isinstance(one, dict) and "value" in one for one in records)
    return ENVELOPE if is_envelope and records else b""
