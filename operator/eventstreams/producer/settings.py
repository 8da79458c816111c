"""Settings of the REST producer, read once in main, and what follows from them for its Kafka clients."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from eventstreams.core import names
from eventstreams.core.logs import LogFormat
from eventstreams.core.settings import Settings
from eventstreams.producer.limits import Limits

Port = Annotated[int, Field(ge=1, le=65535)]

REPORT_MARGIN_SECONDS: Final = 1.5
"""Kafka's client gives up so much before the request does, so that its report can still be the answer."""

_BATCH_OVERHEAD_BYTES: Final = 16_384  # headers of a record have 10 KiB; framing and batch header are small
_BATCH_BYTES: Final = 1_000_000  # librdkafka's own default


class ProducerSettings(Settings):
    """What a REST producer process can be told. Sizes are in bytes, times in seconds."""

    instance: Annotated[str, Field(min_length=1)] = "standalone"
    """Name of the EventStreamsInstance: its keyring is `<instance>-keyring-<n>`."""
    namespace: Annotated[str, Field(min_length=1)] = "default"
    """Namespace of the instance, where its keyring is."""

    bootstrap_servers: Annotated[str, Field(min_length=1)]
    """Kafka's addresses, host:port with commas between."""
    kafka_security_protocol: Literal["SASL_SSL", "SSL", "SASL_PLAINTEXT", "PLAINTEXT"] = "SASL_SSL"
    """How Kafka is spoken to."""
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    """How the process shows Kafka who it is; without meaning unless the protocol is one of SASL."""
    kafka_credentials_dir: Path | None = None
    """Directory with the files `username` and `password`, a mounted Secret; read again when they change."""
    kafka_ca_file: Path | None = None
    """PEM file with the CAs of Kafka's certificates; read again when it changes. Unset: the system's CAs."""

    tls_dir: Path | None = None
    """Directory with `tls.crt` and `tls.key`, a mounted Secret; read again when they change."""
    plaintext: bool = False
    """Serve HTTP without TLS, for tests and benchmarks; API keys then travel in the clear."""
    port: Port = names.PRODUCER_PORT
    """Port of the API, of /alive and of /ready."""
    metrics_port: Port = names.PRODUCER_METRICS_PORT
    """Port of /metrics, plain HTTP."""

    page: bool = True
    """Serve the API page, from which a person can send records, at /. The document /openapi.json is always there."""

    keyring_file: Path | None = None
    """File with one keyring shard that holds every key; read again when it changes. Unset: Kubernetes is watched."""

    max_key_bytes: Annotated[int, Field(ge=0, le=1_048_576)] = 4096
    """Largest record key, decoded."""
    max_message_bytes: Annotated[int, Field(ge=1, le=104_857_600)] = 65_536
    """Largest record value, and so the largest body that is one."""
    max_request_bytes: Annotated[int, Field(ge=1, le=33_554_432)] = 1_048_576
    """Largest body that carries records in lines or in an envelope."""
    max_records_per_request: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Most records in one body."""
    in_flight_records: Annotated[int, Field(ge=1, le=1_000_000)] = 5000
    """Records that may wait for Kafka's confirmation at a time. Each ServiceID may have as many as are left free."""
    in_flight_bytes: Annotated[int, Field(ge=1, le=1_073_741_824)] = 50_331_648
    """The same in bytes of bodies; as many may be coming in."""
    request_timeout_seconds: Annotated[float, Field(ge=2, le=300)] = 10
    """Longest time from a complete request to its answer. 2 to 300."""
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = 15
    """From SIGTERM to the last answer: requests are taken until request_timeout_seconds before it, then only finished.
    Clients that read no answer, and records that Kafka does not confirm, may take up to 7 s more."""

    log_format: LogFormat = "json"
    """json, or text for a terminal."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is logged."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.tls_dir is None and not self.plaintext:
            raise ValueError("set EVENTSTREAMS_TLS_DIR, or EVENTSTREAMS_PLAINTEXT=true to serve without TLS")
        if self.kafka_security_protocol.startswith("SASL") and self.kafka_credentials_dir is None:
            raise ValueError(f"EVENTSTREAMS_KAFKA_CREDENTIALS_DIR is due with {self.kafka_security_protocol}")
        return self

    @property
    def limits(self) -> Limits:
        """The limits that these settings ask for."""
        return Limits(
            key_bytes=self.max_key_bytes,
            message_bytes=self.max_message_bytes,
            request_bytes=self.max_request_bytes,
            request_records=self.max_records_per_request,
            request_seconds=self.request_timeout_seconds,
        )


def kafka_credentials(directory: Path) -> tuple[str, str]:
    """Return user name and password. Raises OSError when they cannot be read, ValueError when they cannot be used."""
    name, password = ((directory / part).read_text(encoding="utf-8").strip() for part in ("username", "password"))
    if "\0" in name or "\0" in password:
        raise ValueError("a NUL in Kafka's user name or password")
    return name, password


def client_config(settings: ProducerSettings) -> dict[str, Any]:
    """Return librdkafka's configuration of the connection to Kafka. Never log it: it holds the password."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"eventstreams-rest-{settings.instance}",
        "security.protocol": settings.kafka_security_protocol,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "allow.auto.create.topics": False,  # producers have it true by default
    }
    if settings.kafka_ca_file is not None:
        config["ssl.ca.location"] = str(settings.kafka_ca_file)
    if settings.kafka_security_protocol.startswith("SASL") and settings.kafka_credentials_dir is not None:
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
        config["sasl.username"], config["sasl.password"] = kafka_credentials(settings.kafka_credentials_dir)
    return config


def producer_config(settings: ProducerSettings) -> dict[str, Any]:
    """Return librdkafka's configuration of a producer, but for its linger."""
    largest = settings.max_message_bytes + settings.max_key_bytes + _BATCH_OVERHEAD_BYTES
    window_bytes = settings.in_flight_bytes + settings.in_flight_records * settings.max_key_bytes
    many_bytes = settings.max_request_bytes + settings.max_records_per_request * settings.max_key_bytes
    return client_config(settings) | {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",  # the same key goes where a Java client sends it; without a key at random
        "message.timeout.ms": int((settings.request_timeout_seconds - REPORT_MARGIN_SECONDS) * 1000),
        "message.max.bytes": max(_BATCH_BYTES, largest),
        # above the window with the one request that may exceed it, so that it is the window that refuses
        "queue.buffering.max.messages": settings.in_flight_records + 2 * settings.max_records_per_request,
        "queue.buffering.max.kbytes": (window_bytes + 2 * max(largest, many_bytes)) // 1024 + 1,
    }
