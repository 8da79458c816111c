"""Every object that an instance is made of."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstreams.api.instance import EventStreamsInstance, RestProducer
from eventstreams.core import names
from eventstreams.core.settings import read
from eventstreams.instance import plan
from eventstreams.instance.builders import kafka_configuration as configuration
from eventstreams.instance.builders import kafka_node, key_material, producer_access, producer_pods
from eventstreams.instance.builders.common import Manifest
from eventstreams.instance.builders.producer_pods import CASource, KafkaAccess, Logging
from eventstreams.instance.identity import identity_secret, mint
from eventstreams.producer.settings import ProducerSettings
from unit.instance.samples import EXTERNAL, IMAGES, NOW, counting, instance, persistent

ACCESS = KafkaAccess("kafka:9093", "SCRAM-SHA-512", "demo-rest-kafka", CASource("ConfigMap", "demo-ca-bundle"))
LEAF = mint(instance(), counting, NOW).ca


def stateful_set(one: EventStreamsInstance, *, live: Manifest | None = None, **settings: str) -> Manifest:
    managed = one.spec.kafka.managed
    assert managed is not None
    return plan.stateful_set(one, managed, IMAGES, settings=settings, certificate="c", live=live)


def deployment(one: EventStreamsInstance, access: KafkaAccess = ACCESS) -> Manifest:
    return producer_pods.rest_producer_deployment(one, IMAGES, kafka=access, logging=Logging())


def everything(one: EventStreamsInstance) -> list[Manifest]:
    managed = one.spec.kafka.managed
    who = mint(one, counting, NOW)
    assert managed is not None
    assert who.kafka is not None
    budget = producer_pods.rest_producer_disruption_budget(one)
    assert budget is not None
    return [
        *plan.kafka_objects(one, managed, who.kafka),
        *plan.producer_objects(one),
        stateful_set(one),
        deployment(one),
        budget,
        producer_access.rest_producer_service(one),
        key_material.ca_bundle_config_map(one, pem="p", truststore=b"t"),
        key_material.endpoint_certificate_secret(one, LEAF),
        key_material.kafka_certificate_secret(one, LEAF),
        key_material.producer_credentials_secret(one, username="u", password="p"),
        identity_secret(one, who, None),
    ]


def ids(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


OBJECTS = everything(instance())


@pytest.mark.parametrize("built", OBJECTS, ids=ids)
def test_every_object_carries_our_labels_and_goes_with_its_instance(built: Manifest) -> None:
    metadata = built["metadata"]

    assert metadata["namespace"] == "shop"
    assert metadata["labels"][names.MANAGED_BY] == names.MANAGED_BY_VALUE
    assert metadata["labels"][names.INSTANCE_LABEL] == "demo"
    assert [one["uid"] for one in metadata["ownerReferences"]] == ["u-1"]


def test_object_names_are_unique_within_their_kind() -> None:
    assert len({ids(built) for built in OBJECTS}) == len(OBJECTS)


@pytest.mark.parametrize("build", [stateful_set, deployment], ids=["brokers", "producer"])
def test_same_arguments_give_the_same_bytes(build: Callable[[EventStreamsInstance], Manifest]) -> None:
    assert repr(build(instance())) == repr(build(instance()))


@pytest.mark.parametrize("built", [stateful_set(instance()), deployment(instance())], ids=ids)
def test_every_workload_is_hardened_probed_and_bounded(built: Manifest) -> None:
    template = built["spec"]["template"]
    pod = template["spec"]

    assert built["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["topologySpreadConstraints"]
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert container["livenessProbe"]
        assert container["readinessProbe"]
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]
        assert container["imagePullPolicy"] == "IfNotPresent"
        declared = {one["name"] for one in pod["volumes"]} | {
            one["metadata"]["name"] for one in built["spec"].get("volumeClaimTemplates", ())
        }
        assert {one["name"] for one in container["volumeMounts"]} == declared


@pytest.mark.parametrize("built", [stateful_set(instance()), deployment(instance())], ids=ids)
def test_no_password_or_key_is_in_a_pod_template(built: Manifest) -> None:
    text = repr(built)

    assert "demo-identity" not in text, "no pod mounts the CA's key"
    assert not re.search(r"PRIVATE KEY|password['\"]?: ", text)


def test_brokers_start_together_and_are_replaced_by_nobody_but_the_operator() -> None:
    spec = stateful_set(instance())["spec"]

    assert (spec["podManagementPolicy"], spec["updateStrategy"]) == ("Parallel", {"type": "OnDelete"})
    assert kafka_node.kafka_headless_service(instance())["spec"]["publishNotReadyAddresses"] is True


@pytest.mark.parametrize(
    ("storage", "when_deleted"), [({}, "Retain"), ({"deletionPolicy": "Delete"}, "Delete")], ids=["retain", "delete"]
)
def test_volumes_stay_or_go_as_declared(storage: dict[str, Any], when_deleted: str) -> None:
    spec = stateful_set(instance(persistent(className="fast", **storage)))["spec"]

    assert spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == when_deleted
    assert spec["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"
    assert spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "10Gi"


def test_a_larger_size_leaves_the_claim_template_which_never_changes() -> None:
    live = stateful_set(instance(persistent(size="10Gi")))

    grown = stateful_set(instance(persistent(size="20Gi")), live=live)

    assert grown == live


def test_new_settings_or_another_certificate_make_brokers_outdated() -> None:
    managed = instance().spec.kafka.managed
    assert managed is not None

    def template(settings: dict[str, str], certificate: str) -> Manifest:
        built = plan.stateful_set(instance(), managed, IMAGES, settings=settings, certificate=certificate, live=None)
        return dict(built["spec"]["template"])

    before = template({"a": "1"}, "c")

    assert template({"a": "1"}, "c") == before
    assert template({"a": "2"}, "c") != before
    assert template({"a": "1"}, "d") != before


def test_a_users_setting_beats_our_default_and_never_what_is_ours() -> None:
    given: dict[str, int | str] = {"min.insync.replicas": 2, "log.retention.hours": 24, "super.users": "User:mallory"}

    made = configuration.server_properties(instance(), given)

    assert (made["min.insync.replicas"], made["log.retention.hours"]) == ("2", "24")
    assert made["super.users"] == "User:CN=broker;User:CN=operator"


@pytest.mark.parametrize(
    ("limits", "given", "told"),
    [
        pytest.param({}, {}, None, id="Kafka's default is enough"),
        pytest.param({"maxMessageBytes": 978_956}, {}, None, id="just enough"),
        pytest.param({"maxMessageBytes": 978_957}, {}, "1048589", id="one byte more"),
        pytest.param({"maxKeyBytes": 1_048_576}, {}, "1179648", id="long keys"),
        pytest.param(
            {"maxMessageBytes": 10_485_760}, {"message.max.bytes": 5}, "5", id="what the user sets is the user's"
        ),
    ],
)
def test_a_managed_kafka_takes_the_largest_record_of_the_rest_producer(
    limits: dict[str, int], given: dict[str, int], told: str | None
) -> None:
    made = configuration.server_properties(instance(limits=limits), given)

    assert made.get("message.max.bytes") == told


def test_every_setting_of_ours_is_denied_to_users_by_the_schema() -> None:
    from eventstreams.api.kafka import DENIED_CONFIG

    ours = configuration.server_properties(instance(), {}).keys()
    free = {key for key in ours if not key.startswith(DENIED_CONFIG)}

    assert free == {
        "default.replication.factor",
        "min.insync.replicas",
        "offsets.topic.replication.factor",
        "share.coordinator.state.topic.min.isr",
        "share.coordinator.state.topic.replication.factor",
        "transaction.state.log.min.isr",
        "transaction.state.log.replication.factor",
    }


def test_the_quorum_is_formatted_by_names_and_directory_ids() -> None:
    managed = instance().spec.kafka.managed
    assert managed is not None

    data = configuration.kafka_configuration(instance(), managed, cluster_id="c", directory_ids=("d",))["data"]

    assert data["initial-controllers"] == "0@demo-kafka-0.demo-kafka-nodes.shop.svc:9090:d"
    assert data["cluster-id"] == "c"


@pytest.mark.parametrize(
    ("limits", "heap"), [({"memory": "1Gi"}, "-XX:MaxRAMPercentage=50"), ({}, "-Xmx1g")], ids=["limit", "no limit"]
)
def test_the_heap_is_half_of_the_limit_or_kafkas_own_default(limits: dict[str, str], heap: str) -> None:
    managed = instance({"managed": {"storage": {"ephemeral": {}}, "resources": {"limits": limits}}}).spec.kafka.managed
    assert managed is not None

    assert heap in configuration.jvm_options(managed).splitlines()


def test_a_broker_does_not_believe_in_its_old_address_for_long_after_a_restart() -> None:
    managed = instance({"managed": {"storage": {"ephemeral": {}}}}).spec.kafka.managed
    assert managed is not None

    options = configuration.jvm_options(managed).splitlines()

    assert {"-Dsun.net.inetaddr.ttl=1", "-Dsun.net.inetaddr.negative.ttl=1"} <= set(options)


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5))
def test_properties_read_back_as_they_were_whatever_they_hold(properties: dict[str, str]) -> None:
    assert java_reads(configuration.render(properties)) == properties


def test_the_producer_rolls_without_a_gap_and_outlives_its_own_drain() -> None:
    spec = deployment(instance())["spec"]
    environment = {one["name"]: one["value"] for one in spec["template"]["spec"]["containers"][0]["env"]}

    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    drain = int(environment["EVENTSTREAMS_DRAIN_SECONDS"])
    assert drain > int(environment["EVENTSTREAMS_REQUEST_TIMEOUT_SECONDS"])
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > drain


@pytest.mark.parametrize("ca", [None, CASource("Secret", "kafka-ca")], ids=["public CAs", "own CA"])
def test_the_producer_understands_every_variable_that_it_is_given(ca: CASource | None) -> None:
    access = KafkaAccess("kafka:9093", "SCRAM-SHA-256", "kafka-admin", ca)
    limits = {"maxKeyBytes": 10, "maxMessageBytes": 20, "requestTimeoutSeconds": 30}
    limits |= {"maxRequestBytes": 40, "maxRecordsPerRequest": 50, "inFlightRecords": 60, "inFlightBytes": 70}
    declared = instance(EXTERNAL, limits=limits, page=False)

    settings = read(ProducerSettings, producer_pods.environment(declared, access, Logging()))

    assert (settings.max_key_bytes, settings.max_message_bytes, settings.request_timeout_seconds) == (10, 20, 30)
    assert (settings.max_request_bytes, settings.max_records_per_request) == (40, 50)
    assert (settings.in_flight_records, settings.in_flight_bytes, settings.page) == (60, 70, False)
    assert (settings.kafka_ca_file is None) == (ca is None)


def test_an_instance_and_a_producer_of_its_own_have_the_same_defaults() -> None:
    producer = RestProducer()

    declared = producer.limits.model_dump() | {"page": producer.page}

    assert declared == {name: ProducerSettings.model_fields[name].default for name in declared}


def test_without_a_ca_secret_the_producer_trusts_the_public_cas() -> None:
    access = KafkaAccess("kafka:9093", "SCRAM-SHA-256", "kafka-admin", None)

    built = repr(deployment(instance(EXTERNAL), access))

    assert "EVENTSTREAMS_KAFKA_CA_FILE" not in built
    assert "kafka-ca" not in built


def test_the_producer_may_list_and_watch_config_maps_and_nothing_else() -> None:
    assert producer_access.rest_producer_role(instance())["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}
    ]


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_single_pod_has_no_disruption_budget(replicas: int) -> None:
    assert producer_pods.rest_producer_disruption_budget(instance(replicas=replicas)) is None


@pytest.mark.parametrize(
    ("service", "port"),
    [
        ({}, {"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}),
        (
            {"type": "NodePort", "nodePort": 30443},
            {"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP", "nodePort": 30443},
        ),
    ],
    ids=["ClusterIP", "NodePort"],
)
def test_the_endpoint_is_port_443(service: dict[str, Any], port: dict[str, Any]) -> None:
    assert producer_access.rest_producer_service(instance(service=service))["spec"]["ports"] == [port]


def java_reads(text: str) -> dict[str, str]:
    """Read properties as java.util.Properties does, as far as we write them."""
    out = {}
    for line in text.splitlines():
        match = re.fullmatch(r"((?:[^\\=: ]|\\.)*)=(.*)", line)
        assert match is not None
        key, value = (re.sub(r"\\u([0-9a-f]{4})|\\(.)", _unescaped, part) for part in match.groups())
        out[_joined(key)] = _joined(value)
    return out


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else match[2]


def _joined(text: str) -> str:
    """Join surrogate pairs: Java's strings are UTF-16."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")
