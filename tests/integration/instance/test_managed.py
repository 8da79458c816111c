"""A Kafka that the operator runs, up to the point where a real pod would start: the nodes here are fake."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from secrets import token_bytes

import pytest
from confluent_kafka.admin import AdminClient, ScramMechanism, UserScramCredentialDeletion

from eventstreams.api.instance import KafkaStatus
from eventstreams.core import names
from eventstreams.instance.builders.common import Images
from eventstreams.instance.identity import mint
from eventstreams.instance.managed import Managed
from eventstreams.instance.work import Trust
from eventstreams.kafka.config import KafkaConfig
from eventstreams.kafka.views import AclRule
from eventstreams.kube.apis import (
    API,
    CONFIG_MAPS,
    INSTANCES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    SECRETS,
    STATEFUL_SETS,
    Manifest,
)
from eventstreams.kube.client import Kube
from integration.instance.room import Room, room_in
from integration.waiting import eventually
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration

EPHEMERAL: Manifest = {"managed": {"storage": {"ephemeral": {}}}}
KAFKA = "demo-kafka"
POD = "demo-kafka-0"
CLAIM = "data-demo-kafka-0"


@pytest.fixture
async def room(kube: Kube, namespace: str) -> AsyncIterator[Room]:
    """Return a room whose namespace takes only pods of the strictest Pod Security."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await kube.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}, manager="tests"
    )
    async with room_in(kube, namespace, kafka_seconds=1) as room:
        yield room


def persistent(*, size: str = "1Gi", policy: str = "Retain", config: dict[str, str] | None = None) -> Manifest:
    storage = {"persistent": {"size": size, "deletionPolicy": policy}}
    return {"managed": {"storage": storage, "config": config or {}}}


async def test_the_broker_runs_and_the_operator_waits_for_its_answer(room: Room) -> None:
    await room.declare(EPHEMERAL)

    await started(room)

    assert (await room.reasons())["CertificatesReady"] == "Ready"
    assert (await room.reasons())["KafkaAvailable"] == "KafkaUnavailable", "a fake pod answers nothing"


async def test_a_pass_over_a_broker_that_is_as_it_should_be_writes_nothing(room: Room) -> None:
    await room.declare(persistent())
    await started(room)
    await room.reconcile()

    await room.reconcile()

    assert room.writes == 0


async def test_new_settings_restart_the_broker_and_nothing_else_does(room: Room) -> None:
    await room.declare(persistent())
    await started(room)
    before = await live(room, PODS, POD)

    await room.declare(persistent(config={"log.retention.hours": "24"}))

    await replaced(room, before)
    data = (await live(room, CONFIG_MAPS, "demo-kafka-config"))["data"]
    assert "log.retention.hours=24\n" in data["server.properties"]


async def test_a_renewed_certificate_reaches_the_broker_by_a_restart(room: Room) -> None:
    await room.declare(persistent())
    await started(room)
    before = await live(room, PODS, POD)

    room.clock.moment += timedelta(days=60)

    await replaced(room, before)


async def test_a_foreign_pod_of_a_brokers_name_is_not_touched_and_named_in_the_conditions(room: Room) -> None:
    foreign = await room.kube.create(foreign_pod(room.key.namespace))
    await room.declare(EPHEMERAL)

    async def look() -> bool:
        return (await room.reasons())["KafkaAvailable"] == "ObjectConflict"

    await eventually(look, "the pod is refused", seconds=30)
    controlled = await live(room, STATEFUL_SETS, KAFKA)
    await eventually(partial(is_observed, room, controlled), "the StatefulSet is observed", seconds=30)
    assert (await room.reasons())["KafkaAvailable"] == "ObjectConflict"
    assert (await live(room, PODS, POD))["metadata"]["uid"] == foreign["metadata"]["uid"]


async def test_a_larger_size_grows_the_claim_and_leaves_the_stateful_set(room: Room) -> None:
    await room.declare(persistent(size="1Gi"))
    await started(room)
    await allow_expansion(room)
    before = await live(room, STATEFUL_SETS, KAFKA)

    await room.declare(persistent(size="2Gi"))
    await room.reconcile()

    claim = await live(room, PERSISTENT_VOLUME_CLAIMS, CLAIM)
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert (await live(room, STATEFUL_SETS, KAFKA))["metadata"]["generation"] == before["metadata"]["generation"]
    assert (await room.reconcile()).status.kafka == KafkaStatus(
        mode="managed", version=room.context.settings.kafka_version, storage_size="2Gi"
    )


async def test_a_size_that_the_class_refuses_leaves_kafka_alone_and_can_be_set_back(room: Room) -> None:
    await room.declare(persistent(size="1Gi"))
    await started(room)
    await allow_expansion(room, allowed=False)
    assert (await room.reasons())["StorageReady"] == "Ready"

    await room.declare(persistent(size="2Gi"))

    outcome = await room.reconcile()
    said = {one.type: (str(one.reason), one.message) for one in outcome.findings}
    assert said["KafkaAvailable"][0] == "KafkaUnavailable", "the broker is asked all the same; a fake one is silent"
    assert said["StorageReady"][0] == said["Stalled"][0] == "ObjectRefused"
    assert "data-demo-kafka-0 has 1Gi and cannot grow to 2Gi: set allowVolumeExpansion" in said["StorageReady"][1]
    await room.declare(persistent(size="1Gi"))
    assert (await room.reasons())["StorageReady"] == "Ready"


async def test_an_outdated_broker_is_replaced_while_its_volume_cannot_grow(room: Room) -> None:
    await room.declare(persistent(size="1Gi"))
    await started(room)
    await allow_expansion(room, allowed=False)
    before = await live(room, PODS, POD)

    await room.declare(persistent(size="2Gi", config={"log.retention.hours": "24"}))

    await replaced(room, before)


async def test_retained_volumes_and_identity_outlive_the_instance_and_serve_the_next(room: Room) -> None:
    await room.declare(persistent())
    await started(room)
    identity = await live(room, SECRETS, "demo-identity")
    await room.kube.delete(INSTANCES, *room.key)
    await gone(room, STATEFUL_SETS, KAFKA)
    assert await live(room, PERSISTENT_VOLUME_CLAIMS, CLAIM)

    await room.declare(persistent())
    await started(room)

    assert (await live(room, SECRETS, "demo-identity"))["data"] == identity["data"]
    cluster_id = base64.b64decode(identity["data"]["cluster-id"]).decode()
    assert (await live(room, CONFIG_MAPS, "demo-kafka-config"))["data"]["cluster-id"] == cluster_id


async def test_with_policy_delete_volumes_and_identity_go_with_the_instance(room: Room) -> None:
    await room.declare(persistent(policy="Delete"))
    await started(room)

    await room.kube.delete(INSTANCES, *room.key)

    for api, name in ((STATEFUL_SETS, KAFKA), (SECRETS, "demo-identity"), (PERSISTENT_VOLUME_CLAIMS, CLAIM)):
        await gone(room, api, name)


async def test_a_change_of_mind_about_the_volumes_is_heeded(room: Room) -> None:
    await room.declare(persistent(policy="Delete"))
    await started(room)
    assert (await live(room, SECRETS, "demo-identity"))["metadata"]["ownerReferences"]

    await room.declare(persistent(policy="Retain"))
    await room.reconcile()

    assert "ownerReferences" not in (await live(room, SECRETS, "demo-identity"))["metadata"]


async def test_a_volume_without_its_identity_is_refused(room: Room) -> None:
    await room.declare(persistent())
    await started(room)
    await room.kube.delete(SECRETS, room.key.namespace, "demo-identity")

    reasons = await room.reasons()

    assert reasons["Ready"] == reasons["KafkaAvailable"] == reasons["CertificatesReady"] == "IdentityLost"
    assert await room.kube.get(SECRETS, room.key.namespace, "demo-identity") is None


async def test_kafka_is_told_the_producers_password_once_and_again_when_it_forgot(
    room: Room, kafka: LocalKafka
) -> None:
    await room.declare(EPHEMERAL)
    work = await room.work()
    identity = mint(work.instance, token_bytes, work.now)
    trust = Trust(identity, identity.ca.certificate_pem, broker=None)
    admin = room.context.kafkas.connect(room.key, KafkaConfig(kafka.bootstrap_internal))
    user = identity.producer_user
    managed = Managed(room.context, Images("producer", "kafka"))

    await managed.admit(work, trust)
    await managed.admit(work, trust)
    assert [one.call for one in room.admin_calls].count("alter_scram") == 1
    forget_password(kafka, user)
    await managed.admit(work, trust)

    assert user in await admin.scram_users()
    assert await admin.acls(user) == {AclRule(user, "topic", "*", one) for one in ("write", "describe")}


def forget_password(kafka: LocalKafka, user: str) -> None:
    """Delete a Kafka user behind the operator's back."""
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_internal})
    deletion = UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512)
    client.alter_user_scram_credentials([deletion])[user].result(20)


async def started(room: Room) -> None:
    """Reconcile until the broker's pod is Ready."""

    async def look() -> bool:
        await room.reconcile()
        pod = await room.kube.get(PODS, room.key.namespace, POD)
        return pod is not None and ("Ready", "True") in conditions(pod) and is_alive(pod)

    await eventually(look, "the broker's pod is Ready", seconds=30)


async def replaced(room: Room, before: Manifest) -> None:
    """Reconcile until there is another pod than `before`."""

    async def look() -> bool:
        await room.reconcile()
        pod = await room.kube.get(PODS, room.key.namespace, POD)
        return pod is not None and pod["metadata"]["uid"] != before["metadata"]["uid"]

    await eventually(look, "the broker's pod was replaced", seconds=30)


async def gone(room: Room, api: API, name: str) -> None:
    async def look() -> bool:
        return await room.kube.get(api, room.key.namespace, name) is None

    # Kubernetes' garbage collector looks for new kinds, such as ours, every 30 s only
    await eventually(look, f"{api.kind} {name} is gone", seconds=60)


async def is_observed(room: Room, before: Manifest) -> bool:
    """Tell whether the StatefulSet's controller has judged it: from then on outdated pods are replaced."""
    now = await live(room, STATEFUL_SETS, KAFKA)
    return bool(now["status"].get("observedGeneration") == before["metadata"]["generation"])


def foreign_pod(namespace: str) -> Manifest:
    """Return somebody's pod that has a broker's name."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "theirs", "image": "registry.example.com/theirs:1", "securityContext": security}
    metadata = {"name": POD, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


async def allow_expansion(room: Room, *, allowed: bool = True) -> None:
    """Let claims of the default class grow, or not."""
    claim = await live(room, PERSISTENT_VOLUME_CLAIMS, CLAIM)
    storage = API("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
    body = {"allowVolumeExpansion": allowed}
    await room.kube.patch(storage, None, claim["spec"]["storageClassName"], body)


async def live(room: Room, api: API, name: str) -> Manifest:
    found = await room.kube.get(api, room.key.namespace, name)
    assert found is not None, f"there is no {api.kind} {name}"
    return found


def conditions(pod: Manifest) -> list[tuple[str, str]]:
    return [(one["type"], one["status"]) for one in pod["status"].get("conditions", ())]


def is_alive(pod: Manifest) -> bool:
    return names.MANAGED_BY in pod["metadata"]["labels"] and "deletionTimestamp" not in pod["metadata"]
