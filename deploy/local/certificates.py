"""Certificates of throw-away platforms, made by the openssl command."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.shell import run

VALID_DAYS = 3650  # a platform on a developer's machine must not fail one day because nobody renewed it

_CONFIG = """\
[req]
distinguished_name = subject
x509_extensions = extensions
prompt = no
[subject]
{subject}
[extensions]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
{extensions}
"""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate and its key (PKCS#8, mode 0600), both PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in `directory`: ca.crt, ca.key, and NAME.crt, NAME.key of what it issued."""

    directory: Path

    @property
    def certificate(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def key(self) -> Path:
        return self.directory / "ca.key"

    @classmethod
    def create(cls, directory: Path, common_name: str) -> "Authority":
        """Make a new authority; what was in the directory under the same names is replaced."""
        directory.mkdir(parents=True, exist_ok=True)
        authority = cls(directory)
        authority._make(
            "ca",
            subject=f"CN = {common_name}",
            extensions=["basicConstraints = critical, CA:TRUE", "keyUsage = critical, keyCertSign, cRLSign"],
        )
        return authority

    def issue_client(self, name: str, *, user: str, group: str = "") -> Credentials:
        """Issue a certificate that Kubernetes takes for `user` of `group`."""
        subject = (f"O = {group}\n" if group else "") + f"CN = {user}"
        return self._issue(name, subject, ["extendedKeyUsage = clientAuth"])

    def issue_server(self, name: str, *, common_name: str, names: Sequence[str]) -> Credentials:
        """Issue a certificate for a server with these names, each as openssl wants it: `DNS:localhost`, `IP:::1`."""
        usage = ["extendedKeyUsage = serverAuth", f"subjectAltName = {', '.join(names)}"]
        return self._issue(name, f"CN = {common_name}", usage)

    def issued(self, name: str) -> Credentials:
        """Return where the files of `name` are."""
        return Credentials(self.directory / f"{name}.crt", self.directory / f"{name}.key")

    def _issue(self, name: str, subject: str, extensions: Sequence[str]) -> Credentials:
        common = ["basicConstraints = critical, CA:FALSE", "keyUsage = critical, digitalSignature, keyEncipherment"]
        self._make(name, subject=subject, extensions=[*common, *extensions], signer=self)
        return self.issued(name)

    def _make(self, name: str, *, subject: str, extensions: Sequence[str], signer: "Authority | None" = None) -> None:
        config = self.directory / f"{name}.cnf"
        config.write_text(_CONFIG.format(subject=subject, extensions="\n".join(extensions)))
        files = self.issued(name)
        by: list[str | Path] = ["-CA", signer.certificate, "-CAkey", signer.key] if signer else []
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
        to: list[str | Path] = ["-keyout", files.key, "-out", files.certificate, "-days", str(VALID_DAYS)]
        run(["openssl", "req", "-x509", "-config", config, *curve, *by, *to])
        files.key.chmod(0o600)
        config.unlink()


def make_signing_pair(directory: Path, name: str) -> None:
    """Write NAME.key and NAME.pub, with which an API server signs and checks service account tokens."""
    key, public = directory / f"{name}.key", directory / f"{name}.pub"
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key])
    key.chmod(0o600)
    run(["openssl", "ec", "-in", key, "-pubout", "-out", public])


def write_kubeconfig(path: Path, *, server: str, authority: Authority, user: str, context: str) -> None:
    """Write a kubeconfig that needs no other file, for the client `user` of `authority`; mode 0600."""
    client = authority.issued(user)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [
            {"name": context, "cluster": {"server": server, "certificate-authority-data": _text(authority.certificate)}}
        ],
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": _text(client.certificate), "client-key-data": _text(client.key)},
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
    }
    content = json.dumps(config, indent=2)  # JSON is YAML
    if path.exists() and path.read_text() == content:
        return
    path.touch(mode=0o600)
    path.write_text(content)


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
