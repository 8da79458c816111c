"""When a leaf certificate is issued anew: an ordered chain of pure checks, each named after the fact that it states."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from eventstreams.pki.certificates import BACKDATED, KeyPair, Leaf, canonical, names_of


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a leaf is judged by: the stored pair (None: absent or unreadable), what it should say, its CA, the time."""

    stored: KeyPair | None
    wanted: Leaf
    ca: x509.Certificate
    now: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a certificate has to be issued, as one word for logs and one sentence."""

    check: str
    message: str


Check = Callable[[Inputs], Verdict | None]


def no_certificate(seen: Inputs) -> Verdict | None:
    """State that there is no certificate, or none that can be read with its key."""
    return Verdict("no_certificate", "there is no readable certificate") if seen.stored is None else None


def key_and_certificate_differ(seen: Inputs) -> Verdict | None:
    """State that the private key belongs to another certificate."""
    if seen.stored is None or seen.stored.key.public_key() == seen.stored.certificate.public_key():
        return None
    return Verdict("key_and_certificate_differ", "the private key does not belong to the certificate")


def names_differ(seen: Inputs) -> Verdict | None:
    """State that the certificate is for other names than wanted: more, fewer or different ones."""
    if seen.stored is None:
        return None
    has, wants = names_of(seen.stored.certificate), canonical(seen.wanted.names)
    if has == wants:
        return None
    missing, extra = ", ".join(sorted(wants - has)) or "nothing", ", ".join(sorted(has - wants)) or "nothing"
    return Verdict("names_differ", f"the certificate lacks {missing} and has {extra} too many")


def not_signed_by_ca(seen: Inputs) -> Verdict | None:
    """State that another CA signed the certificate."""
    if seen.stored is None:
        return None
    try:
        seen.stored.certificate.verify_directly_issued_by(seen.ca)
    except (ValueError, TypeError, InvalidSignature):
        return Verdict("not_signed_by_ca", "the certificate is not signed by the instance's CA")
    return None


def nears_expiry(seen: Inputs) -> Verdict | None:
    """State that two thirds of the certificate's life are over."""
    if seen.stored is None or seen.now < renew_at(seen.stored.certificate):
        return None
    return Verdict("nears_expiry", f"the certificate ends at {seen.stored.certificate.not_valid_after_utc.isoformat()}")


REISSUE_WHEN: Final[tuple[Check, ...]] = (
    no_certificate,
    key_and_certificate_differ,
    names_differ,
    not_signed_by_ca,
    nears_expiry,
)


def first(chain: Sequence[Check], seen: Inputs) -> Verdict | None:
    """Return what the first check of `chain` that applies says, or None when all is well."""
    return next((verdict for check in chain if (verdict := check(seen))), None)


def renew_at(certificate: x509.Certificate) -> datetime:
    """Return the moment at which two thirds of a certificate's life, counted from its issue, are over."""
    issued = certificate.not_valid_before_utc + BACKDATED
    return issued + (certificate.not_valid_after_utc - issued) * 2 / 3
