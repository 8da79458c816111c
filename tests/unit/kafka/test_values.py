"""Values of the Kafka layer: configuration, rights."""

import pytest

from eventstreams.kafka import acls
from eventstreams.kafka.config import Hidden, KafkaConfig
from eventstreams.kafka.views import AclRule

CONFIG = KafkaConfig(
    "broker:9093", "SASL_SSL", "SCRAM-SHA-512", "admin", Hidden("hunter2"), ca_pem="CA", key_pem=Hidden("KEY")
)


def test_a_configuration_never_shows_its_secrets() -> None:
    assert "hunter2" not in repr(CONFIG)
    assert "KEY" not in repr(CONFIG)
    assert "***" in repr(CONFIG)


def test_properties_are_librdkafkas_and_leave_out_what_is_not_given() -> None:
    assert CONFIG.properties() == {
        "bootstrap.servers": "broker:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "admin",
        "sasl.password": "hunter2",
        "ssl.ca.pem": "CA",
        "ssl.key.pem": "KEY",
    }


def test_equal_configurations_are_one_connection_and_another_password_is_not() -> None:
    again = KafkaConfig(
        "broker:9093", "SASL_SSL", "SCRAM-SHA-512", "admin", Hidden("hunter2"), ca_pem="CA", key_pem=Hidden("KEY")
    )
    other = KafkaConfig("broker:9093", "SASL_SSL", "SCRAM-SHA-512", "admin", Hidden("hunter3"), ca_pem="CA")
    assert again == CONFIG
    assert other != CONFIG


@pytest.mark.parametrize(
    "rule",
    [
        AclRule("es.x", "topic", "*", "write"),
        AclRule("es.x", "topic", "pay-", "describe", "prefixed"),
        AclRule("es.x", "cluster", "kafka-cluster", "describe"),
    ],
)
def test_a_rule_survives_the_way_to_kafka_and_back(rule: AclRule) -> None:
    assert acls.rule(acls.binding(rule)) == rule


def test_a_denial_is_no_rule_of_ours() -> None:
    binding = acls.binding(AclRule("es.x", "topic", "*", "write"))
    denial = type(binding)(
        binding.restype, binding.name, binding.resource_pattern_type, binding.principal, "*", binding.operation, "DENY"
    )
    assert acls.rule(denial) is None
