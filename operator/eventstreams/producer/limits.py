"""Every bound of the REST producer, its default and where the number comes from. Sizes in bytes, times in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds on what one client may send, hold or wait for."""

    uri_bytes: int = 10_240
    """Request target; the documented contract says 10 Kb. Above: 414."""

    head_bytes: int = 32_768
    """Request line and header fields together; a full URI and two maximal fields of nginx (8 KiB each). Above: 431."""

    head_fields: int = 100
    """Header fields of one request; Apache's LimitRequestFields. Above: 431."""

    key_bytes: int = 4096
    """Decoded record key; the documented contract. Above: 400."""

    message_bytes: int = 65_536
    """Record value, so also the body that is one; the documented contract. Above: 400, and the connection is closed."""

    record_headers_bytes: int = 10_240
    """Names and values of a record's headers, as many as a URI can carry, and 4 bytes for each. Above: 400 or 413."""

    request_bytes: int = 1_048_576
    """Body with many records, or with one in an envelope, after transfer decoding: checked in some 20 ms. Above: 400
    or 413, and the connection is closed."""

    request_records: int = 1000
    """Records of one request; Pub/Sub has 1000. Above: 400 or 413."""

    chunk_line_bytes: int = 256
    """A chunk's size and extensions; the trailer section may be as long as a head."""

    pipelined: int = 64
    """Requests of one connection that wait for an answer; reading pauses above."""

    later_seconds: float = 0.25
    """About how late 429, and 503 for too much in flight, is answered, the connection unread meanwhile: a client that
    does not wait by itself then costs 4 requests a second of each connection; one that does notices nothing."""

    connections: int = 8192
    """Open connections of the process; a further one is dropped. Some 30 KiB each with TLS."""

    handshake_seconds: float = 10
    """From TCP accept to the end of the TLS handshake."""

    head_seconds: float = 10
    """From the first byte of a head to its last; nginx gives 60, Go nothing. Late: 408."""

    body_seconds: float = 30
    """From the end of a head to the end of its body: 64 KiB at 2 KiB/s. Late: 408."""

    idle_seconds: float = 620
    """Between requests; above the idle timeout of common balancers (AWS 350, Azure 240, Google 600)."""

    write_seconds: float = 30
    """For a client that does not read its answers."""

    age_seconds: float = 300
    """Age at which an answer carries `Connection: close`, so that clients spread over new pods; jittered by 20 %."""

    linger_bytes: int = 16_777_216
    """Discarded after a closing answer, so that the client reads the answer before it sees a reset (RFC 9112 §9.6).

    Python's http.client and requests, and wget, read no answer before they have sent all: that is what they may send.
    """

    linger_seconds: float = 2
    """The same in time."""

    request_seconds: float = 10
    """From the end of a request to its answer. Kafka is given 1.5 s less, so that its report comes in time."""
