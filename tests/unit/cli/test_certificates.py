"""`kubectl es certificates`."""

import pytest

from unit.cli.terminal import Ran, Terminal
from unit.serviceid.samples import CA_PEM


def test_the_certificate_is_written_into_the_current_directory(terminal: Terminal) -> None:
    terminal.has_instance()
    file = terminal.directory / "es-cert.pem"
    assert terminal.types("certificates --format pem") == Ran(
        0, f"Certificate successfully written to {file}.\nOK\n", ""
    )
    assert file.read_text() == CA_PEM


def test_a_truststore_is_written_with_its_password_told(terminal: Terminal) -> None:
    terminal.has_instance()
    out = terminal.directory / "out"
    out.mkdir()
    assert terminal.types(f"certificates --format p12 -d {out}") == Ran(
        0, f"Certificate successfully written to {out}/es-cert.p12.\nTruststore password: changeit\nOK\n", ""
    )
    assert (out / "es-cert.p12").read_bytes() == b"\x30truststore"


@pytest.mark.parametrize("form", ["pem", "p12"])
def test_an_instance_without_certificates_is_to_be_waited_for(terminal: Terminal, form: str) -> None:
    terminal.has_instance(caBundle=None)
    assert terminal.types(f"certificates --format {form}") == Ran(
        1,
        "",
        "FAILED\ninstance es has no certificates yet\n"
        "What to do: wait for it: kubectl -n team wait --for=condition=Ready esi/es\n",
    )


def test_a_directory_that_cannot_be_written_is_named(terminal: Terminal) -> None:
    terminal.has_instance()
    assert terminal.types("certificates -d /nowhere") == Ran(
        1,
        "",
        "FAILED\n/nowhere/es-cert.pem cannot be written: No such file or directory\n"
        "What to do: name another directory with --out\n",
    )
