"""The product's main job, as a person does it: `kubectl es`, the documented curl, the record read back."""

import json

import pytest

from e2e.conftest import Application, Shell, read_back, until


@pytest.fixture(scope="module")
def application(shell: Shell, instance: str) -> Application:
    """The journey up to the key, in the product's own commands."""
    said = shell.ok("kubectl es init")
    assert said.endswith("OK\n")
    assert shell.ok("kubectl es topic-create --name journey --partitions 1").endswith("OK\n")
    assert shell.ok("kubectl es iam-service-id-create --name journey-app --role editor --topic journey").endswith(
        "OK\n"
    )
    assert shell.ok("kubectl es certificates --format pem").endswith("OK\n")
    return Application(
        shell=shell,
        topic="journey",
        service_id="journey-app",
        endpoint=shell.secret("journey-app-credentials", "api-endpoint-external"),
        key=shell.secret("journey-app-credentials", "api-key"),
    )


def test_the_documented_request_is_answered_with_metadata_and_kafka_holds_what_was_sent(
    application: Application,
) -> None:
    ran = application.curl("test message")
    body, _, status = ran.out.rpartition("\n")
    assert status == "200", ran
    metadata = json.loads(body)["metadata"]
    assert (metadata["topic"], metadata["partition"]) == ("journey", 0)
    assert read_back(application.shell, "journey", count=1, offset=metadata["offset"]) == ["test message"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"key": "esk_00000000_" + "0" * 43 + "_000000"}, 401),
        ({"topic": "somebody-elses"}, 403),
        ({"topic": "__consumer_offsets"}, 403),
    ],
)
def test_what_is_not_permitted_is_refused_in_json(
    application: Application, changes: dict[str, str], status: int
) -> None:
    ran = application.curl(**changes)
    body, _, said = ran.out.rpartition("\n")
    assert int(said) == status
    error = json.loads(body)
    assert error["error_code"] == status
    assert error["message"]
    assert application.key not in body


def test_the_key_of_an_application_is_nowhere_but_in_its_secret(application: Application, operator: str) -> None:
    shell = application.shell
    secret = application.key.split("_")[2]
    for command in (
        "kubectl get sid,esi,estopic,configmaps,events,pods -o yaml",
        "kubectl logs -l app.kubernetes.io/component=rest-producer --tail=-1",
        f"kubectl logs -n {operator} deploy/eventstreams-operator --tail=-1",
    ):
        assert secret not in shell.ok(command)


def test_get_reads_well_for_each_kind(application: Application) -> None:
    said = application.shell.ok("kubectl get esi,estopic,sid")
    assert "https://" in said
    assert "journey-app-credentials" in said


def test_deleting_the_service_id_revokes_its_key_within_a_second(application: Application) -> None:
    shell = application.shell
    shell.ok(
        "kubectl es iam-service-id-create --name short-lived --role editor --topic journey && "
        "kubectl wait --for=condition=Ready sid/short-lived --timeout=30s"
    )
    key = shell.secret("short-lived-credentials", "api-key")
    until(lambda: application.status(key=key) == 200, seconds=5, what="the new key works")
    shell.ok("kubectl delete sid/short-lived --timeout=30s")
    until(lambda: application.status(key=key) == 401, seconds=1.5, what="the key is refused")
    assert shell.run("kubectl get secret short-lived-credentials").code != 0


def test_a_deleted_topic_with_policy_delete_is_gone_from_kafka_and_answered_404(application: Application) -> None:
    shell = application.shell
    shell.ok(
        "kubectl es topic-create --name journey-gone --partitions 1 --dry-run=client -o yaml "
        "| sed 's/^spec:/spec:\\n  deletionPolicy: Delete/' | kubectl apply -f - && "
        "kubectl wait --for=condition=Ready estopic/journey-gone --timeout=30s"
    )
    shell.ok("kubectl es iam-service-id-create --name gone-app --role editor --topic journey-gone")
    key = shell.secret("gone-app-credentials", "api-key")
    until(lambda: application.status(key=key, topic="journey-gone") == 200, seconds=10, what="the topic takes records")
    shell.ok("kubectl delete estopic/journey-gone --timeout=30s")
    # a record in flight at that moment waits for the request's own timeout, 10 s, before the next look
    until(lambda: application.status(key=key, topic="journey-gone") == 404, seconds=25, what="the topic is gone")
