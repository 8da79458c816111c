"""The operator's settings."""

import re
from pathlib import Path

import pytest
import yaml

from eventstreams.core.settings import SettingsError, read
from eventstreams.runtime.settings import OperatorSettings

ROOT = Path(__file__).parents[3]


def test_the_defaults_are_valid_and_serve_the_whole_cluster() -> None:
    assert read(OperatorSettings, {}).namespaces == (None,)


def test_the_kafka_that_runs_by_default_is_the_one_that_is_tested() -> None:
    tested = re.search(r"<kafka.version>(.+)</kafka.version>", (ROOT / "deploy/local/maven/pom.xml").read_text())
    assert tested is not None
    values = yaml.safe_load((ROOT / "charts/eventstreams-operator/values.yaml").read_text())
    settings = read(OperatorSettings, {})

    assert values["kafkaImage"]["tag"] == settings.kafka_version == tested[1]
    assert settings.kafka_image.endswith(f":{tested[1]}")


def test_namespaces_are_separated_by_commas() -> None:
    settings = read(OperatorSettings, {"EVENTSTREAMS_WATCH_NAMESPACES": "shop, pay,,shop"})

    assert settings.namespaces == ("pay", "shop")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"EVENTSTREAMS_LEASE_RENEW_DEADLINE_SECONDS": "30"}, "30 < 30"),
        ({"EVENTSTREAMS_LEASE_RETRY_SECONDS": "20"}, "20.0 < 15"),
        ({"EVENTSTREAMS_KUBE_TIMEOUT_SECONDS": "15"}, "kube_timeout_seconds is 15.0, it must be below"),
        ({"EVENTSTREAMS_KAFKA_TIMEOUT_SECONDS": "60"}, "kafka_timeout_seconds is 60.0, it must be below"),
        ({"EVENTSTREAMS_WORKER": "3"}, "did you mean EVENTSTREAMS_WORKERS?"),
        ({"EVENTSTREAMS_WORKERS": "many"}, "EVENTSTREAMS_WORKERS"),
        ({"EVENTSTREAMS_KAFKA_VERSION": "latest"}, "EVENTSTREAMS_KAFKA_VERSION"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says.replace("?", r"\?").replace(".", r"\.")):
        read(OperatorSettings, environment)


def test_what_a_service_named_like_the_operator_injects_is_ignored() -> None:
    injected = {
        "EVENTSTREAMS_OPERATOR_SERVICE_HOST": "10.0.0.1",
        "EVENTSTREAMS_OPERATOR_PORT": "tcp://10.0.0.1:8080",
        "EVENTSTREAMS_OPERATOR_PORT_8080_TCP_ADDR": "10.0.0.1",
    }

    assert read(OperatorSettings, injected) == OperatorSettings()


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, field in OperatorSettings.model_fields.items() if not field.description] == []
