"""Keys and certificates: made and read here, judged in policy.py, stored by the rooms.

ECDSA P-256 throughout: every client of the last decade speaks it, and a handshake costs a fraction of RSA's. Time is
passed in; keys and serials come from the operating system's generator, as the library insists.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_VALIDITY: Final = timedelta(days=1825)
LEAF_VALIDITY: Final = timedelta(days=90)
BACKDATED: Final = timedelta(minutes=5)
"""Against clocks that are a little slow; as much as the signer of kube-controller-manager allows (`Backdate`)."""


class Usage(Enum):
    """What a leaf may be used for."""

    SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
    CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    PEER = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    """Both: a broker, which also connects to its peers and to itself."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> str:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private key as unencrypted PKCS#8 PEM: the only form that Kafka reads."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a leaf certificate says: `names` are DNS names and addresses, the latter recognised by their form.

    `common_name` has a meaning to Kafka alone, whose principals are distinguished names; TLS clients look at `names`.
    """

    common_name: str
    usage: Usage
    names: tuple[str, ...] = ()


def make_ca(instance: str, namespace: str, *, generation: int, now: datetime) -> KeyPair:
    """Make a self-signed CA. Its name carries the generation, so that two CAs of one instance are never confused.

    No path length: a later CA may be cross-signed by this one.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, namespace),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{instance} CA {generation}"),
        ]
    )
    usage = _key_usage(digital_signature=False, certificate_sign=True)
    builder = (
        _builder(subject, subject, key.public_key(), now, now + CA_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return KeyPair(builder.sign(key, hashes.SHA256()), key)


def make_leaf(ca: KeyPair, leaf: Leaf, *, now: datetime) -> KeyPair:
    """Make a leaf with a new key, signed by `ca`. It never outlives the CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)])
    end = min(now + LEAF_VALIDITY, ca.certificate.not_valid_after_utc)
    issuer_key_id = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(subject, ca.certificate.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True, certificate_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(leaf.usage.value), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id), critical=False)
    )
    if leaf.names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in sorted(set(leaf.names))])
        builder = builder.add_extension(names, critical=False)
    return KeyPair(builder.sign(ca.key, hashes.SHA256()), key)


def read(certificate_pem: str, key_pem: str) -> KeyPair | None:
    """Return the pair that two PEM texts hold, or None when one of them is absent or unreadable.

    Of a chain, the first certificate is taken. Whether the two belong together is for policy.py to judge.
    """
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError):
        return None
    return KeyPair(certificate, key) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def names_of(certificate: x509.Certificate) -> frozenset[str]:
    """Return the DNS names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return frozenset(names.get_values_for_type(x509.DNSName)) | addresses


def canonical(names: Collection[str]) -> frozenset[str]:
    """Return names in the form that `names_of` gives them back: addresses normalised, DNS names in lower case."""
    return frozenset(str(_address(name) or name.lower()) for name in names)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, digital_signature: bool, certificate_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificate_sign,
        crl_sign=certificate_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name.lower()) if address is None else x509.IPAddress(address)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
