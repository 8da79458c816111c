"""Certificates as made here, read back here, and verified by OpenSSL's command as the second opinion."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from eventstreams.pki.certificates import (
    BACKDATED,
    CA_VALIDITY,
    LEAF_VALIDITY,
    KeyPair,
    Leaf,
    Usage,
    canonical,
    make_ca,
    make_leaf,
    names_of,
    read,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CA = make_ca("demo", "shop", generation=2, now=NOW)
SERVER = Leaf("demo-rest", Usage.SERVER, ("es.example.com", "10.1.2.3", "2001:DB8::1"))


@pytest.mark.parametrize(
    ("usage", "purpose", "is_good"),
    [
        (Usage.SERVER, "sslserver", True),
        (Usage.SERVER, "sslclient", False),
        (Usage.CLIENT, "sslclient", True),
        (Usage.CLIENT, "sslserver", False),
        (Usage.PEER, "sslserver", True),
        (Usage.PEER, "sslclient", True),
    ],
)
def test_openssl_accepts_a_leaf_for_its_purpose_alone(
    tmp_path: Path, usage: Usage, purpose: str, *, is_good: bool
) -> None:
    pair = make_leaf(CA, Leaf("demo", usage, ("localhost",)), now=NOW)

    assert is_verified(tmp_path, CA, pair, "-x509_strict", "-purpose", purpose) is is_good


@pytest.mark.parametrize("option", ["-verify_hostname=es.example.com", "-verify_ip=10.1.2.3", "-verify_ip=2001:db8::1"])
def test_openssl_finds_the_names_of_a_leaf(tmp_path: Path, option: str) -> None:
    assert is_verified(tmp_path, CA, make_leaf(CA, SERVER, now=NOW), *option.split("="))


def test_openssl_refuses_a_leaf_of_another_ca_of_the_same_name(tmp_path: Path) -> None:
    other = make_ca("demo", "shop", generation=2, now=NOW)

    assert not is_verified(tmp_path, other, make_leaf(CA, SERVER, now=NOW))


def test_the_cas_name_carries_the_generation_and_no_path_length() -> None:
    constraints = CA.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value

    assert CA.certificate.subject.rfc4514_string() == "CN=demo CA 2,O=shop"
    assert (constraints.ca, constraints.path_length) == (True, None)


@pytest.mark.parametrize("pair", [CA, make_leaf(CA, SERVER, now=NOW)], ids=["ca", "leaf"])
def test_every_certificate_names_its_key_and_its_issuers_key(pair: KeyPair) -> None:
    issuer = CA.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    named = pair.certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value

    own = pair.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert own == x509.SubjectKeyIdentifier.from_public_key(pair.key.public_key())
    assert named.key_identifier == issuer.digest


def test_validity_begins_a_little_before_the_issue() -> None:
    leaf = make_leaf(CA, SERVER, now=NOW).certificate

    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (NOW - BACKDATED, NOW + LEAF_VALIDITY)
    assert CA.certificate.not_valid_after_utc == NOW + CA_VALIDITY


def test_a_leaf_never_outlives_its_ca() -> None:
    late = NOW + CA_VALIDITY - timedelta(days=10)

    assert make_leaf(CA, SERVER, now=late).certificate.not_valid_after_utc == CA.certificate.not_valid_after_utc


def test_a_pair_reads_back_also_when_key_and_certificate_share_one_text() -> None:
    pair = make_leaf(CA, SERVER, now=NOW)
    both = pair.key_pem + pair.certificate_pem

    again = read(both, both)

    assert again is not None
    assert (again.certificate_pem, again.key_pem) == (pair.certificate_pem, pair.key_pem)


@pytest.mark.parametrize(("certificate", "key"), [("", ""), (CA.certificate_pem, ""), ("x", CA.key_pem)])
def test_what_cannot_be_read_is_no_pair(certificate: str, key: str) -> None:
    assert read(certificate, key) is None


def test_keys_are_pkcs8_the_only_form_that_kafka_reads() -> None:
    assert CA.key_pem.startswith("-----BEGIN PRIVATE KEY-----")


def test_names_come_back_in_canonical_form() -> None:
    leaf = make_leaf(CA, SERVER, now=NOW).certificate

    assert names_of(leaf) == canonical(SERVER.names) == {"es.example.com", "10.1.2.3", "2001:db8::1"}


def is_verified(directory: Path, ca: KeyPair, leaf: KeyPair, *options: str) -> bool:
    """Ask OpenSSL's command, on the day of the issue."""
    (directory / "ca.crt").write_text(ca.certificate_pem)
    (directory / "leaf.crt").write_text(leaf.certificate_pem)
    moment = ["-attime", str(int(NOW.timestamp()))]
    command = ["openssl", "verify", *moment, *options, "-CAfile", "ca.crt", "leaf.crt"]
    return subprocess.run(command, cwd=directory, capture_output=True, check=False).returncode == 0
