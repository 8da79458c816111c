"""From service IDs to the grants of a keyring."""

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from eventstreams.api.serviceid import KeyState, ReplicaLimits, ServiceID, ServiceIDLimits
from eventstreams.core.consent import InstanceRef
from eventstreams.core.keyring import SHARDS, KeyGrant, KeyLimits, shard_of
from eventstreams.serviceid.grants import Shards, compiled, grants_of
from unit.serviceid.samples import NOW, key_status, service_id, some_key

INSTANCE = InstanceRef("team", "es")
LATER = NOW + timedelta(hours=24)


def flat(shards: Shards) -> dict[str, KeyGrant]:
    return {grant.id: grant for shard in shards for grant in shard}


def test_an_editor_may_produce_to_its_topics() -> None:
    (grant,) = grants_of(service_id("app", key_status(1), topics=("pay-*", "orders")))
    assert grant == KeyGrant(some_key(1).id, some_key(1).digest, "team/app", ("orders", "pay-*"))


def test_a_viewers_key_is_known_and_may_produce_nothing() -> None:
    (grant,) = grants_of(service_id("app", key_status(1), role="viewer"))
    assert grant.topics == ()


def test_every_key_carries_the_limits_of_its_service_id() -> None:
    resource = service_id("app", key_status(1), key_status(2, KeyState.RETIRING, expires_at=LATER))
    limits = ServiceIDLimits(per_replica=ReplicaLimits(requests_per_second=5, bytes_per_second=None))
    limited = resource.model_copy(update={"spec": resource.spec.model_copy(update={"limits": limits})})
    assert [grant.limits for grant in grants_of(limited)] == [KeyLimits(requests_per_second=5)] * 2
    assert [grant.limits for grant in grants_of(resource)] == [None] * 2


def test_a_pending_key_is_known_before_anybody_can_hold_it() -> None:
    assert len(grants_of(service_id("app", key_status(1, KeyState.PENDING)))) == 1


def test_a_retiring_key_carries_its_end() -> None:
    (grant,) = grants_of(service_id("app", key_status(1, KeyState.RETIRING, expires_at=LATER)))
    assert grant.expires_at == LATER


def test_a_service_id_that_is_being_deleted_has_no_grants() -> None:
    assert not grants_of(service_id("app", key_status(1), deletionTimestamp=NOW))


def test_a_service_id_of_another_namespace_has_no_grants() -> None:
    assert not grants_of(service_id("app", key_status(1), namespace="elsewhere"))


def test_a_service_id_that_names_a_topic_of_kafkas_own_has_no_grants() -> None:
    assert not grants_of(service_id("app", key_status(1), topics=("orders", "__consumer_offsets")))


def test_a_keyring_holds_the_service_ids_of_its_own_instance_alone() -> None:
    mine = service_id("app", key_status(1))
    assert set(flat(compiled(INSTANCE, [mine]))) == {some_key(1).id}
    assert not flat(compiled(InstanceRef("team", "another"), [mine]))


def test_an_id_belongs_to_the_oldest_service_id_that_has_it() -> None:
    forged = key_status(1).model_copy(update={"sha256": "0" * 64})
    thief = service_id("aaa", forged, creationTimestamp=NOW + timedelta(days=1))
    owner = service_id("zzz", key_status(1))
    assert flat(compiled(INSTANCE, [thief, owner]))[some_key(1).id].owner == "team/zzz"


def numbered(number: int, keys: list[int]) -> ServiceID:
    return service_id(f"app-{number}", *(key_status(number * 100 + key) for key in keys))


many = st.lists(st.lists(st.integers(0, 99), unique=True, max_size=4), max_size=8).map(
    lambda keys: [numbered(number, each) for number, each in enumerate(keys)]
)


@given(many, st.randoms())
def test_every_key_is_in_its_own_shard_whatever_the_order(service_ids: list[ServiceID], random: Random) -> None:
    shards = compiled(INSTANCE, service_ids)
    random.shuffle(service_ids)
    assert compiled(INSTANCE, service_ids) == shards
    assert len(shards) == SHARDS
    assert all(shard_of(grant.id) == number for number, shard in enumerate(shards) for grant in shard)
    assert set(flat(shards)) == {key.id for one in service_ids for key in one.status.keys}
