"""Where an instance can be reached, and which names its certificates are for."""

from typing import Any

import pytest

from eventstreams.api.instance import Endpoint, Scope
from eventstreams.core.errors import RefusedError
from eventstreams.instance.endpoints import (
    Node,
    endpoints_of,
    external_hosts,
    kafka_names,
    node_of,
    producer_names,
)
from unit.instance.samples import EXTERNAL, instance

NODE_PORT = {"type": "NodePort"}
NODES = [Node(f"n{number}", f"10.0.0.{number}", is_ready=number != 2) for number in (5, 4, 3, 2, 1)]


def test_without_anything_external_there_is_the_service_alone() -> None:
    assert endpoints_of(instance(), hosts=(), node_port=None) == (
        Endpoint(name="producer-api", uri="https://demo-rest.shop.svc:443", scope=Scope.INTERNAL),
        Endpoint(name="kafka", uri="demo-kafka.shop.svc:9093", scope=Scope.INTERNAL),
    )


@pytest.mark.parametrize(
    ("service", "hosts", "uris"),
    [
        ({}, ("es.example.com",), ["https://es.example.com:443"]),
        (NODE_PORT, ("es.example.com",), ["https://es.example.com:30443"]),
        (NODE_PORT, ("10.0.0.1", "2001:db8::1"), ["https://10.0.0.1:30443", "https://[2001:db8::1]:30443"]),
    ],
)
def test_external_addresses_have_the_port_that_the_service_has(
    service: dict[str, Any], hosts: tuple[str, ...], uris: list[str]
) -> None:
    found = endpoints_of(instance(service=service), hosts=hosts, node_port=30443)

    assert [one.uri for one in found if (one.name, one.scope) == ("producer-api", Scope.EXTERNAL)] == uris


def test_until_the_service_has_its_port_the_external_address_is_not_told() -> None:
    found = endpoints_of(instance(service=NODE_PORT), hosts=("10.0.0.1",), node_port=None)

    assert all(one.scope is Scope.INTERNAL for one in found)


def test_an_external_kafka_is_named_as_the_spec_has_it() -> None:
    assert endpoints_of(instance(EXTERNAL), hosts=(), node_port=None)[-1].uri == "kafka:9093"


def test_a_node_port_is_reached_by_three_ready_nodes_in_name_order() -> None:
    assert external_hosts(instance(service=NODE_PORT), NODES) == ("10.0.0.1", "10.0.0.3", "10.0.0.4")


def test_addresses_stay_while_their_nodes_do_ready_or_not() -> None:
    told = [
        {"name": "producer-api", "scope": "external", "uri": f"https://10.0.0.{number}:30443"} for number in (2, 9, 5)
    ]

    hosts = external_hosts(instance(status={"endpoints": told}, service=NODE_PORT), NODES)

    assert hosts == ("10.0.0.2", "10.0.0.5", "10.0.0.1")


def test_hostnames_make_nodes_needless() -> None:
    one = instance(service=NODE_PORT, hostnames=["es.example.com", "es.example.org"])

    assert external_hosts(one, None) == ("es.example.com",)


def test_without_the_right_to_read_nodes_hostnames_are_asked_for() -> None:
    with pytest.raises(RefusedError, match=r"set spec\.restProducer\.hostnames"):
        external_hosts(instance(service=NODE_PORT), None)


@pytest.mark.parametrize(
    ("addresses", "address"),
    [
        ([("InternalIP", "10.0.0.1"), ("ExternalIP", "192.0.2.1")], "192.0.2.1"),
        ([("Hostname", "n"), ("InternalIP", "10.0.0.1"), ("InternalIP", "fd00::1")], "10.0.0.1"),
    ],
)
def test_a_nodes_external_address_comes_before_its_internal_one(addresses: list[tuple[str, str]], address: str) -> None:
    status = {"addresses": [{"type": kind, "address": one} for kind, one in addresses]}

    assert node_of({"metadata": {"name": "n"}, "status": status}) == Node("n", address, is_ready=False)


def test_the_certificate_is_for_every_name_of_the_service_and_every_hostname() -> None:
    names = producer_names(instance(hostnames=["a.example.com", "b.example.com"]), ("a.example.com",))

    assert set(names) == {
        "demo-rest",
        "demo-rest.shop",
        "demo-rest.shop.svc",
        "demo-rest.shop.svc.cluster.local",
        "a.example.com",
        "b.example.com",
    }


def test_one_certificate_serves_all_brokers() -> None:
    assert {"demo-kafka.shop.svc", "*.demo-kafka-nodes.shop.svc"} <= set(kafka_names(instance()))
