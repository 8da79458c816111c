"""What the producer's unit tests share."""

import pytest

from unit.producer.certificates import Certificate, self_signed


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a self-signed certificate for this machine, in files as a Secret is mounted."""
    return self_signed(tmp_path_factory.mktemp("tls"))
