"""How to reach one Kafka, as a value. Holds secrets: their `repr` is `***`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from typing_extensions import override

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A text that no log, status or exception may show: only `reveal` gives it."""

    _text: str

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    @override
    def __repr__(self) -> str:
        return "***"


NOTHING: Final = Hidden("")


@dataclass(frozen=True, slots=True)
class KafkaConfig:
    """Address and identity of an admin client. Equal values mean: the same connection serves.

    `bootstrap_servers` is `host:port` with commas between. `ca_pem` None: the machine's own CAs. `certificate_pem`
    and `key_pem` are the client's identity in mutual TLS. librdkafka takes all PEM texts directly: no files.
    """

    bootstrap_servers: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = ""
    username: str = ""
    password: Hidden = NOTHING
    ca_pem: str | None = None
    certificate_pem: str | None = None
    key_pem: Hidden = NOTHING

    def properties(self) -> Mapping[str, str]:
        """Return librdkafka's properties; they hold the secrets in the clear."""
        given = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password.reveal(),
            "ssl.ca.pem": self.ca_pem,
            "ssl.certificate.pem": self.certificate_pem,
            "ssl.key.pem": self.key_pem.reveal(),
        }
        return {name: value for name, value in given.items() if value}
