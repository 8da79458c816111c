"""What an instance must not lose."""

import re
from typing import Any

import pytest

from eventstreams.core.errors import RefusedError
from eventstreams.instance.builders.common import Manifest
from eventstreams.instance.identity import Identity, identity_of, identity_secret, kafka_uuid, mint
from unit.instance.samples import EPHEMERAL, EXTERNAL, NOW, counting, instance, persistent


def stored(one: Any = None) -> tuple[Identity, Manifest]:
    who = mint(instance(one), counting, NOW)
    return who, identity_secret(instance(one), who, None)


@pytest.mark.parametrize("kafka", [EPHEMERAL, EXTERNAL, persistent()], ids=["ephemeral", "external", "persistent"])
def test_an_identity_reads_back_as_it_was_minted(kafka: dict[str, Any]) -> None:
    _, secret = stored(kafka)

    again = identity_of(instance(kafka), secret)

    assert identity_secret(instance(kafka), again, None) == secret


def test_names_and_ids_have_the_forms_that_kafka_takes() -> None:
    who, _ = stored()

    assert re.fullmatch(r"es\.[0-9a-z]{8}\.rest", who.producer_user)
    assert who.kafka is not None
    for one in (who.kafka.cluster_id, *who.kafka.directory_ids):
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", one)


def test_an_id_never_begins_with_a_hyphen() -> None:
    given = iter([b"\xf8" * 16, b"\x00" * 16])

    assert kafka_uuid(lambda _: next(given)) == "A" * 22


@pytest.mark.parametrize(
    ("kafka", "owners"),
    [
        (EPHEMERAL, 1),
        (EXTERNAL, 1),
        (persistent(deletionPolicy="Delete"), 1),
        (persistent(), 0),
    ],
    ids=["ephemeral", "external", "delete", "retain"],
)
def test_the_identity_outlives_the_instance_where_the_volumes_do(kafka: dict[str, Any], owners: int) -> None:
    assert len(stored(kafka)[1]["metadata"]["ownerReferences"]) == owners


@pytest.mark.parametrize(
    ("kafka", "owners"),
    [(EXTERNAL, 0), (EPHEMERAL, 0), (persistent(), 0), (persistent(deletionPolicy="Delete"), 1)],
    ids=["external", "ephemeral", "retain", "delete"],
)
def test_an_identity_kept_for_volumes_is_given_up_by_the_policy_delete_alone(
    kafka: dict[str, Any], owners: int
) -> None:
    _, kept = stored(persistent())

    adopted = identity_secret(instance(kafka), mint(instance(kafka), counting, NOW), kept)

    assert len(adopted["metadata"]["ownerReferences"]) == owners


@pytest.mark.parametrize("key", ["owner8", "ca.crt", "ca.key", "cluster-id", "directory-id-0"])
def test_what_cannot_be_made_anew_is_refused_when_it_is_missing(key: str) -> None:
    _, secret = stored()
    del secret["data"][key]

    with pytest.raises(RefusedError, match="restore it from a backup"):
        identity_of(instance(), secret)


def test_a_missing_admin_certificate_is_no_loss() -> None:
    _, secret = stored()
    del secret["data"]["admin.key"]

    who = identity_of(instance(), secret)

    assert who.kafka is not None
    assert who.kafka.admin is None
