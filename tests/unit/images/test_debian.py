"""Images are made on the system whose packages they name."""

import platform

import pytest

from images.debian import require_release
from local.errors import PlatformError


@pytest.mark.parametrize(
    "system",
    [
        {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)"},
        {"ID": "ubuntu", "VERSION_ID": "24.04", "PRETTY_NAME": "Ubuntu 24.04 LTS"},
    ],
    ids=lambda system: system["ID"],
)
def test_another_system_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, system: dict[str, str]) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: system)

    with pytest.raises(PlatformError, match="Containerfiles") as raised:
        require_release()

    assert system["PRETTY_NAME"] in str(raised.value)


def test_debian_12_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian", "VERSION_ID": "12"})

    require_release()


def test_a_system_that_does_not_name_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", nothing)

    with pytest.raises(PlatformError, match="another system"):
        require_release()
