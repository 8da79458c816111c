"""Every rule of the CRDs against a real API server."""

import copy

import pytest

from eventstreams.kube.apis import api_of
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import InvalidError
from integration.cel.cases import CASES, Case, Manifest, instance, managed, service_id, topic

pytestmark = pytest.mark.integration


def placed(manifest: Manifest, namespace: str, **metadata: object) -> Manifest:
    return {**copy.deepcopy(manifest), "metadata": {**manifest["metadata"], "namespace": namespace, **metadata}}


async def submit(kube: Kube, namespace: str, case: Case) -> Manifest:
    if case.old is None:
        return await kube.create(placed(case.new, namespace))
    stored = await kube.create(placed(case.old, namespace))
    if case.seen is not None:
        name = stored["metadata"]["name"]
        stored = await kube.patch(api_of(stored), namespace, name, {"status": case.seen}, subresource="status")
    return await kube.replace(placed(case.new, namespace, resourceVersion=stored["metadata"]["resourceVersion"]))


@pytest.mark.parametrize("case", [case for case in CASES if not case.refused], ids=str)
async def test_the_rule_accepts(kube: Kube, namespace: str, case: Case) -> None:
    stored = await submit(kube, namespace, case)

    assert stored["metadata"]["uid"]


@pytest.mark.parametrize("case", [case for case in CASES if case.refused], ids=str)
async def test_the_rule_refuses_and_says_what_to_do(kube: Kube, namespace: str, case: Case) -> None:
    with pytest.raises(InvalidError) as refusal:
        await submit(kube, namespace, case)

    assert case.rule in str(refusal.value)


@pytest.mark.parametrize("manifest", [instance(), topic(), service_id()], ids=lambda one: one["kind"])
async def test_a_new_object_does_not_count_as_settled(kube: Kube, namespace: str, manifest: Manifest) -> None:
    created = await kube.create(placed(manifest, namespace))

    assert created["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ({**topic(), "spec": None}, "spec: Required value"),
        (topic(instanceRef={}), "spec.instanceRef.name: Required value"),
        (topic(name="a/b"), "spec.name"),
        (topic(partitions=0), "spec.partitions"),
        (topic(config={"retention.ms": True}), "spec.config.retention.ms"),
        (topic(config={"retention.ms": "1\x00"}), "spec.config.retention.ms"),
        (topic(config={"retention.ms": "1" * 32768}), "spec.config.retention.ms"),
        (service_id(secretName="a..b"), "spec.secretName"),
        (service_id(topics=[]), "spec.topics"),
        (service_id(topics=["or*ders"]), "spec.topics[0]"),
        (service_id(role="admin"), 'supported values: "viewer", "editor", "operator"'),
        (service_id(limits={"perReplica": {"requestsPerSecond": 0}}), "limits.perReplica.requestsPerSecond"),
        (service_id(limits={"perReplica": {"bytesPerSecond": 0}}), "limits.perReplica.bytesPerSecond"),
        (service_id(limits={}), "limits.perReplica: Required value"),
        (instance(kafka=managed(resources={"limits": {"memory": "1 GB"}})), "limits.memory"),
        (instance(restProducer={"hostnames": ["es.example.com/"]}), "spec.restProducer.hostnames[0]"),
        (instance(restProducer={"hostnames": ["es..example.com"]}), "spec.restProducer.hostnames[0]"),
        (instance(restProducer={"hostnames": ["-es"]}), "spec.restProducer.hostnames[0]"),
    ],
)
async def test_a_value_out_of_range_is_refused_and_its_place_named(
    kube: Kube, namespace: str, manifest: Manifest, says: str
) -> None:
    with pytest.raises(InvalidError) as refusal:
        await kube.create(placed(manifest, namespace))

    assert says in str(refusal.value)


async def test_defaults_appear_in_what_is_stored_but_not_where_another_field_may_exclude_them(
    kube: Kube, namespace: str
) -> None:
    spec = (await kube.create(placed(instance(), namespace)))["spec"]

    assert spec["restProducer"]["limits"] == {
        "maxKeyBytes": 4096,
        "maxMessageBytes": 65536,
        "maxRequestBytes": 1048576,
        "maxRecordsPerRequest": 1000,
        "requestTimeoutSeconds": 10,
        "inFlightRecords": 5000,
        "inFlightBytes": 50_331_648,
    }
    assert spec["restProducer"]["service"] == {"type": "ClusterIP"}
    assert "replicas" not in spec["restProducer"]
    assert "external" not in spec["kafka"]
