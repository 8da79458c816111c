"""Certificates and kubeconfigs are what a second implementation takes them for."""

import json
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from local.certificates import Authority, write_kubeconfig


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_server_certificate_is_valid_for_its_names(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, "test CA")
    server = authority.issue_server("server", common_name="kafka", names=["DNS:localhost", "IP:127.0.0.1"])
    verifier = (
        PolicyBuilder().store(Store([load(authority.certificate)])).build_server_verifier(x509.DNSName("localhost"))
    )
    assert verifier.verify(load(server.certificate), [])


def test_a_client_certificate_names_user_and_group(tmp_path: Path) -> None:
    certificate = load(
        Authority.create(tmp_path, "test CA")
        .issue_client("kubelet", user="system:node:local", group="system:nodes")
        .certificate
    )
    subject = certificate.subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:local"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_keys_and_kubeconfigs_are_for_their_owner_alone(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, "test CA")
    authority.issue_client("admin", user="admin")
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(kubeconfig, server="https://127.0.0.1:6443", authority=authority, user="admin", context="test")
    assert {path.stat().st_mode & 0o777 for path in (authority.key, tmp_path / "admin.key", kubeconfig)} == {0o600}
    assert json.loads(kubeconfig.read_text())["current-context"] == "test"
    assert not list(tmp_path.glob("*.cnf"))
