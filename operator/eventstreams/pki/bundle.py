"""The certificates that clients trust, in the two forms that they read: PEM and a Java truststore."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from eventstreams.core.names import TRUSTSTORE_PASSWORD


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate in hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def pem(trusted: Sequence[x509.Certificate]) -> str:
    """Return all trusted CA certificates as one PEM text, in the order given: the signing CA comes first."""
    return "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in trusted)


def truststore(trusted: Sequence[x509.Certificate]) -> bytes:
    """Return a PKCS#12 truststore that Java reads (each entry marked as trusted), under TRUSTSTORE_PASSWORD.

    Salts make its bytes differ from call to call: build it anew only when the certificates change.
    """
    entries = [pkcs12.PKCS12Certificate(one, f"ca-{number}".encode()) for number, one in enumerate(trusted, start=1)]
    return pkcs12.serialize_java_truststore(
        entries, serialization.BestAvailableEncryption(TRUSTSTORE_PASSWORD.encode())
    )


def is_truststore_of(truststore: bytes, trusted: Sequence[x509.Certificate]) -> bool:
    """Tell whether a truststore holds exactly these certificates, in this order."""
    try:
        store = pkcs12.load_pkcs12(truststore, TRUSTSTORE_PASSWORD.encode())
    except ValueError:
        return False
    return [one.certificate for one in store.additional_certs] == list(trusted)
