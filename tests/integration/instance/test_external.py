"""An instance on a Kafka that exists already, reconciled against a real API server and a real broker."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography import x509

from eventstreams.core import names
from eventstreams.kube.apis import (
    API,
    CONFIG_MAPS,
    DEPLOYMENTS,
    INSTANCES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    ROLES,
    SECRETS,
    SERVICES,
    Manifest,
)
from eventstreams.kube.client import Kube
from eventstreams.pki.certificates import names_of
from integration.instance.room import ADMIN_SECRET, CA_SECRET, Room, external, give_credentials, make_secret, room_in
from integration.waiting import eventually
from local.kafka import LocalKafka

pytestmark = pytest.mark.integration

REST = "demo-rest"


@pytest.fixture
async def room(kube: Kube, namespace: str, kafka: LocalKafka) -> AsyncIterator[Room]:
    """Return a room whose instance may be declared `external`."""
    await give_credentials(kube, namespace, kafka)
    async with room_in(kube, namespace) as room:
        yield room


async def test_an_instance_becomes_ready_and_says_how_to_reach_it(room: Room, kafka: LocalKafka) -> None:
    await room.declare(external(kafka))
    await settled(room)

    status = (await live(room, INSTANCES, "demo"))["status"]

    assert [(one["name"], one["scope"], one["uri"]) for one in status["endpoints"]] == [
        ("producer-api", "internal", f"https://demo-rest.{room.key.namespace}.svc:443"),
        ("kafka", "external", kafka.bootstrap_sasl),
    ]
    assert status["kafka"] == {"mode": "external", "clusterId": kafka.layout.cluster_id, "brokers": 1}
    assert status["caBundle"]["configMap"] == "demo-ca-bundle"
    assert {one["type"] for one in status["conditions"] if one["status"] == "True"} == {
        "Ready",
        "KafkaAvailable",
        "ProducerAvailable",
        "CertificatesReady",
    }


async def test_a_pass_over_an_instance_that_is_as_it_should_be_writes_nothing(room: Room, kafka: LocalKafka) -> None:
    await room.declare(external(kafka), resources={"limits": {"memory": "262144Ki"}, "requests": {"cpu": "0.1"}})
    await settled(room)

    await room.reconcile()

    assert room.writes == 0


@pytest.mark.parametrize(
    ("api", "name"),
    [
        (DEPLOYMENTS, REST),
        (SERVICES, REST),
        (ROLES, REST),
        (NETWORK_POLICIES, REST),
        (CONFIG_MAPS, "demo-ca-bundle"),
        (SECRETS, "demo-rest-tls"),
    ],
    ids=lambda value: value.plural if isinstance(value, API) else value,
)
async def test_an_object_that_somebody_deleted_is_made_again(
    room: Room, kafka: LocalKafka, api: API, name: str
) -> None:
    await room.declare(external(kafka))
    await settled(room)
    before = await live(room, api, name)
    await room.kube.delete(api, room.key.namespace, name)

    await room.reconcile()

    assert (await live(room, api, name))["metadata"]["uid"] != before["metadata"]["uid"]


@pytest.mark.parametrize(
    ("api", "edit", "healed"),
    [
        pytest.param(DEPLOYMENTS, {"spec": {"replicas": 7}}, ("spec", "replicas"), id="replicas"),
        pytest.param(ROLES, {"rules": []}, ("rules",), id="rights taken"),
        pytest.param(
            ROLES,
            {
                "rules": [
                    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]},
                    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
                ]
            },
            ("rules",),
            id="rights added",
        ),
        pytest.param(SERVICES, {"spec": {"selector": {"app": "other"}}}, ("spec", "selector"), id="selector"),
    ],
)
async def test_an_object_that_somebody_edited_is_put_right(
    room: Room, kafka: LocalKafka, api: API, edit: Manifest, healed: tuple[str, ...]
) -> None:
    await room.declare(external(kafka))
    await settled(room)
    before = await live(room, api, REST)
    await room.kube.patch(api, room.key.namespace, REST, edit)

    await room.reconcile()

    after = await live(room, api, REST)
    for key in healed:
        before, after = before[key], after[key]
    assert after == before


async def test_a_setting_that_leaves_the_spec_leaves_the_objects(room: Room, kafka: LocalKafka) -> None:
    await room.declare(external(kafka), service={"annotations": {"example.com/team": "payments"}})
    await settled(room)
    assert "example.com/team" in (await live(room, SERVICES, REST))["metadata"]["annotations"]

    await room.declare(external(kafka))
    await room.reconcile()

    assert "example.com/team" not in (await live(room, SERVICES, REST))["metadata"]["annotations"]


async def test_a_single_pod_has_no_disruption_budget_that_would_block_a_drain(room: Room, kafka: LocalKafka) -> None:
    await room.declare(external(kafka), replicas=2)
    await settled(room)
    assert await room.kube.get(POD_DISRUPTION_BUDGETS, room.key.namespace, REST) is not None

    await room.declare(external(kafka), replicas=1)
    await room.reconcile()

    assert await room.kube.get(POD_DISRUPTION_BUDGETS, room.key.namespace, REST) is None


async def test_a_foreign_secret_is_not_touched_and_named_in_the_conditions(room: Room, kafka: LocalKafka) -> None:
    await make_secret(room.kube, room.key.namespace, "demo-rest-tls", {"mine": "own"})
    before = await live(room, SECRETS, "demo-rest-tls")
    await room.declare(external(kafka))

    reasons = await room.reasons()

    assert await live(room, SECRETS, "demo-rest-tls") == before
    assert reasons["CertificatesReady"] == reasons["ProducerAvailable"] == reasons["Ready"] == "SecretConflict"
    assert reasons["KafkaAvailable"] == "Ready", "what does not need the certificate goes on"


async def test_a_foreign_deployment_is_not_touched_and_named_in_the_conditions(room: Room, kafka: LocalKafka) -> None:
    metadata = {"name": REST, "namespace": room.key.namespace}
    selector = {"app": "theirs"}
    pod = {"metadata": {"labels": selector}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await room.kube.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 0, "selector": {"matchLabels": selector}, "template": pod},
        }
    )
    await room.declare(external(kafka))

    reasons = await room.reasons()

    assert reasons["ProducerAvailable"] == "ObjectConflict"
    assert (await live(room, DEPLOYMENTS, REST))["spec"]["selector"]["matchLabels"] == selector


@pytest.mark.parametrize(
    ("rest_producer", "says"),
    [
        ({"service": {"type": "NodePort", "nodePort": 80}}, "nodePort"),
        ({"resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "2Gi"}}}, "memory"),
        ({"service": {"annotations": {"no good": "x"}}}, "annotations"),
    ],
)
async def test_what_kubernetes_refuses_of_the_spec_is_quoted(
    room: Room, kafka: LocalKafka, rest_producer: Manifest, says: str
) -> None:
    await room.declare(external(kafka), **rest_producer)

    findings = {one.type: one for one in (await room.reconcile()).findings}

    assert str(findings["ProducerAvailable"].reason) == "ObjectRefused"
    assert re.search(says, findings["ProducerAvailable"].message)
    assert findings["Stalled"].status == "True"


async def test_a_missing_secret_is_named_and_its_creation_is_enough(room: Room, kafka: LocalKafka) -> None:
    await room.kube.delete(SECRETS, room.key.namespace, ADMIN_SECRET)
    await room.declare(external(kafka))
    assert (await room.reasons())["KafkaAvailable"] == "SecretNotFound"
    user = {"username": kafka.admin_user, "password": kafka.admin_password}

    await make_secret(room.kube, room.key.namespace, ADMIN_SECRET, user)

    await settled(room)


async def test_a_secret_without_a_password_is_named(room: Room, kafka: LocalKafka) -> None:
    await room.kube.patch(SECRETS, room.key.namespace, ADMIN_SECRET, {"data": {"password": None}})
    await room.declare(external(kafka))

    assert (await room.reasons())["KafkaAvailable"] == "SecretInvalid"


async def test_a_password_from_a_file_may_end_in_a_line_end(room: Room, kafka: LocalKafka) -> None:
    password = base64.b64encode(f"{kafka.admin_password}\n".encode()).decode()
    await room.kube.patch(SECRETS, room.key.namespace, ADMIN_SECRET, {"data": {"password": password}})
    await room.declare(external(kafka))

    await settled(room)


async def test_a_wrong_password_is_told_apart_from_a_kafka_that_is_away(room: Room, kafka: LocalKafka) -> None:
    wrong = base64.b64encode(b"wrong").decode()
    await room.kube.patch(SECRETS, room.key.namespace, ADMIN_SECRET, {"data": {"password": wrong}})
    await room.declare(external(kafka))

    reasons = await room.reasons()

    assert reasons["KafkaAvailable"] == "KafkaNotAuthorized"
    assert await room.kube.get(DEPLOYMENTS, room.key.namespace, REST) is None, "no pods before Kafka knows their user"


async def test_another_cluster_than_the_recorded_one_is_refused_and_left_alone(room: Room, kafka: LocalKafka) -> None:
    await room.declare(external(kafka))
    await settled(room)
    recorded = {"status": {"kafka": {"clusterId": "AAAAAAAAAAAAAAAAAAAAAA"}}}
    await room.kube.patch(INSTANCES, *room.key, recorded, subresource="status")

    reasons = await room.reasons()

    assert reasons["KafkaAvailable"] == reasons["Ready"] == "ClusterIdChanged"
    assert room.context.kafkas.get(room.key) is None, "no topic can be changed there"


async def test_another_address_is_not_given_to_topics_before_it_has_proved_to_be_the_same_kafka(
    room: Room, kafka: LocalKafka
) -> None:
    await room.declare(external(kafka))
    await settled(room)
    with LocalKafka() as other:
        other_ca = base64.b64encode(other.ca_pem.encode()).decode()
        await room.kube.patch(SECRETS, room.key.namespace, CA_SECRET, {"data": {"ca.crt": other_ca}})
        password = base64.b64encode(other.admin_password.encode()).decode()
        await room.kube.patch(SECRETS, room.key.namespace, ADMIN_SECRET, {"data": {"password": password}})
        await room.declare(external(other))
        given = room.context.kafkas.get(room.key)

        seen = set()
        async with asyncio.TaskGroup() as group:
            reconciling = group.create_task(room.reasons())
            while not reconciling.done():
                seen.add(room.context.kafkas.get(room.key))
                await asyncio.sleep(0)

    assert (await reconciling)["KafkaAvailable"] == "ClusterIdChanged"
    assert seen == {given, None}


async def test_a_node_port_gives_the_nodes_addresses_to_status_and_certificate(room: Room, kafka: LocalKafka) -> None:
    await room.declare(external(kafka), service={"type": "NodePort"})
    await settled(room)
    port = (await live(room, SERVICES, REST))["spec"]["ports"][0]["nodePort"]

    endpoints = (await live(room, INSTANCES, "demo"))["status"]["endpoints"]

    outside = [one["uri"] for one in endpoints if (one["name"], one["scope"]) == ("producer-api", "external")]
    assert outside == [f"https://192.0.2.{number}:{port}" for number in (1, 2, 3)]
    pem = base64.b64decode((await live(room, SECRETS, "demo-rest-tls"))["data"]["tls.crt"])
    assert {"192.0.2.1", f"{REST}.{room.key.namespace}.svc"} <= names_of(x509.load_pem_x509_certificate(pem))


async def test_hostnames_go_into_the_certificate_and_the_first_is_the_endpoint(room: Room, kafka: LocalKafka) -> None:
    await room.declare(external(kafka), hostnames=["es.example.com", "10.1.2.3"])
    await settled(room)

    endpoints = (await live(room, INSTANCES, "demo"))["status"]["endpoints"]

    assert next(one["uri"] for one in endpoints if one["scope"] == "external") == "https://es.example.com:443"
    pem = base64.b64decode((await live(room, SECRETS, "demo-rest-tls"))["data"]["tls.crt"])
    assert {"es.example.com", "10.1.2.3"} <= names_of(x509.load_pem_x509_certificate(pem))


async def test_the_certificate_is_renewed_at_two_thirds_of_its_life_and_not_a_second_earlier(
    room: Room, kafka: LocalKafka
) -> None:
    await room.declare(external(kafka))
    await settled(room)
    before = await live(room, SECRETS, "demo-rest-tls")
    pods = await live(room, DEPLOYMENTS, REST)
    room.clock.moment += timedelta(days=60, seconds=-1)

    outcome = await room.reconcile()
    assert (outcome.again_after, await live(room, SECRETS, "demo-rest-tls")) == (1, before)
    room.clock.moment += timedelta(seconds=1)
    await room.reconcile()

    after = await live(room, SECRETS, "demo-rest-tls")
    assert after["data"]["tls.crt"] != before["data"]["tls.crt"]
    assert (await live(room, DEPLOYMENTS, REST))["metadata"]["generation"] == pods["metadata"]["generation"]


async def test_the_producers_pods_pass_the_strictest_pod_security(room: Room, kafka: LocalKafka) -> None:
    await enforce_restricted(room)
    await room.declare(external(kafka))

    await settled(room)

    pods = await room.kube.list(PODS, room.key.namespace, labels=f"{names.COMPONENT}=rest-producer")
    assert len(pods.items) == 2


async def test_an_instance_that_is_being_deleted_is_not_made_again(room: Room, kafka: LocalKafka) -> None:
    await room.declare(external(kafka))
    await settled(room)
    hold = {"metadata": {"finalizers": ["example.com/hold"]}}
    await room.kube.patch(INSTANCES, *room.key, hold)
    await room.kube.delete(INSTANCES, *room.key)
    await room.kube.delete(DEPLOYMENTS, room.key.namespace, REST)
    manifest = await live(room, INSTANCES, "demo")

    outcome = await room.reconciler.reconcile(room.context.instances.store.put(manifest))

    assert outcome is None
    assert await room.kube.get(DEPLOYMENTS, room.key.namespace, REST) is None
    await room.kube.patch(INSTANCES, *room.key, {"metadata": {"finalizers": None}})


async def enforce_restricted(room: Room) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": room.key.namespace, "labels": labels}}
    await room.kube.apply(body, manager="tests")


async def settled(room: Room) -> None:
    """Reconcile until the instance is Ready and nothing rolls."""

    async def look() -> bool:
        found = {one.type: one.status for one in (await room.reconcile()).findings}
        return (found["Ready"], found["Reconciling"]) == ("True", "False")

    await eventually(look, "the instance is Ready", seconds=30)


async def live(room: Room, api: API, name: str) -> Manifest:
    found = await room.kube.get(api, room.key.namespace, name)
    assert found is not None, f"there is no {api.kind} {name}"
    return found
