"""The settings of the process, and what Kafka's client is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from eventstreams.core.settings import SettingsError, read
from eventstreams.main import producer
from eventstreams.producer.settings import ProducerSettings, kafka_credentials, producer_config

LEAST = {
    "EVENTSTREAMS_BOOTSTRAP_SERVERS": "kafka:9093",
    "EVENTSTREAMS_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
    "EVENTSTREAMS_PLAINTEXT": "true",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"EVENTSTREAMS_PLAINTEXT": "false"}, "EVENTSTREAMS_TLS_DIR"),
        ({"EVENTSTREAMS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "EVENTSTREAMS_KAFKA_CREDENTIALS_DIR"),
        ({"EVENTSTREAMS_BOOTSTRAP_SERVERS": ""}, "EVENTSTREAMS_BOOTSTRAP_SERVERS"),
        ({"EVENTSTREAMS_PORTS": "1"}, "did you mean EVENTSTREAMS_PORT?"),
        ({"EVENTSTREAMS_MAX_KEY_BYTES": "-1"}, "EVENTSTREAMS_MAX_KEY_BYTES"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(change: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says.replace("?", r"\?")):
        read(ProducerSettings, LEAST | change)


def test_the_limits_follow_the_settings() -> None:
    given = {"MAX_KEY_BYTES": "1", "MAX_MESSAGE_BYTES": "2", "REQUEST_TIMEOUT_SECONDS": "3"}
    given |= {"MAX_REQUEST_BYTES": "4", "MAX_RECORDS_PER_REQUEST": "5"}

    limits = read(ProducerSettings, LEAST | {f"EVENTSTREAMS_{name}": value for name, value in given.items()}).limits

    assert (limits.key_bytes, limits.message_bytes, limits.request_seconds) == (1, 2, 3)
    assert (limits.request_bytes, limits.request_records) == (4, 5)


def test_kafkas_client_is_idempotent_waits_for_all_and_gives_up_before_the_request_does(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("es.a.rest\n")
    (tmp_path / "password").write_text("secret\n")
    secured = {
        "EVENTSTREAMS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "EVENTSTREAMS_KAFKA_CREDENTIALS_DIR": str(tmp_path),
        "EVENTSTREAMS_MAX_MESSAGE_BYTES": "2000000",
    }

    config = producer_config(read(ProducerSettings, LEAST | secured))

    assert config["acks"] == "all"
    assert config["enable.idempotence"] is True
    assert config["allow.auto.create.topics"] is False
    assert config["message.timeout.ms"] == 8500
    assert config["message.max.bytes"] > 2_000_000
    assert (config["sasl.username"], config["sasl.password"]) == ("es.a.rest", "secret")


@pytest.mark.parametrize("setting", ["MAX_MESSAGE_BYTES", "MAX_REQUEST_BYTES"])
def test_the_largest_request_fits_into_the_queue_of_kafkas_client(setting: str) -> None:
    config = producer_config(read(ProducerSettings, LEAST | {f"EVENTSTREAMS_{setting}": "33554432"}))

    assert config["queue.buffering.max.kbytes"] * 1024 >= 2 * 33_554_432


def test_help_teaches_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        producer.main(["--help"])

    shown = capsys.readouterr().out
    assert "curl -X POST" in shown
    for name in ProducerSettings.model_fields:
        assert f"EVENTSTREAMS_{name.upper()}" in shown


def test_bad_settings_end_the_process_with_code_2_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert producer.start({"EVENTSTREAMS_X": "1"}) == 2
    assert "See eventstreams-producer --help" in capsys.readouterr().err


def test_the_process_never_loads_the_kubernetes_client_or_kopf() -> None:
    code = "import sys, eventstreams.main.producer; print({'kubernetes', 'kopf', 'aiohttp'} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )

    assert done.stdout == "set()\n"


@pytest.mark.parametrize("password", [b"\xff", b"a\0b"])
def test_a_password_that_kafkas_client_cannot_take_is_refused(tmp_path: Path, password: bytes) -> None:
    (tmp_path / "username").write_text("user")
    (tmp_path / "password").write_bytes(password)

    with pytest.raises(ValueError, match=r"NUL|utf-8"):
        kafka_credentials(tmp_path)
