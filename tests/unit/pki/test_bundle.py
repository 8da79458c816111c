"""The bundle that clients trust."""

import hashlib
import ssl
from datetime import UTC, datetime

from eventstreams.pki import bundle
from eventstreams.pki.certificates import make_ca

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLD, NEW = (make_ca("demo", "shop", generation=number, now=NOW).certificate for number in (1, 2))


def test_the_pem_bundle_holds_all_certificates_in_the_order_given() -> None:
    blocks = bundle.pem([NEW, OLD]).split("-----END CERTIFICATE-----\n")[:-1]
    digests = [hashlib.sha256(ssl.PEM_cert_to_DER_cert(f"{block}-----END CERTIFICATE-----\n")) for block in blocks]

    assert [one.hexdigest() for one in digests] == [bundle.fingerprint(NEW), bundle.fingerprint(OLD)]


def test_a_truststore_is_known_by_its_certificates_and_not_by_its_bytes() -> None:
    one, other = bundle.truststore([NEW, OLD]), bundle.truststore([NEW, OLD])

    assert one != other, "salted"
    assert bundle.is_truststore_of(one, [NEW, OLD])
    assert not bundle.is_truststore_of(one, [NEW])
    assert not bundle.is_truststore_of(b"", [NEW])
