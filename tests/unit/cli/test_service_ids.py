"""`kubectl es iam-service-id-create`."""

import json

import pytest
import yaml
from typing_extensions import override

from eventstreams.api import serviceid
from eventstreams.cli import service_ids
from eventstreams.core.errors import NotYetError
from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import API, SECRETS, SERVICE_IDS, Manifest
from unit.cli.terminal import Ran, Terminal, condition
from unit.serviceid.memory_kube import MemoryKube
from unit.serviceid.samples import some_key

SHOWN = f"""\
Created service ID my-app
Role          editor
Topics        orders
Secret        my-app-credentials
API endpoint  https://203.0.113.7:32443
API key       {some_key(1).reveal()}

Keep the key secret. An application mounts the Secret; to read the key again:
  kubectl -n team get secret my-app-credentials -o jsonpath='{{.data.api-key}}' | base64 -d
To produce a record, once with the certificate:
  kubectl es certificates --format pem
  curl -X POST -H "Authorization: Bearer <api_key>" -H "Content-Type: text/plain" \\
       -H "Accept: application/json" -d 'test message' --cacert es-cert.pem \\
       https://203.0.113.7:32443/topics/orders/records
OK
"""


@pytest.fixture
def shell(terminal: Terminal) -> Terminal:
    """Return the shell of somebody who has an instance."""
    terminal.has_instance()
    return terminal


def test_a_service_id_is_created_and_its_key_shown_with_how_to_use_it(shell: Terminal) -> None:
    assert shell.types("iam-service-id-create --name my-app --role editor --topic orders") == Ran(0, SHOWN, "")
    assert shell.stored(SERVICE_IDS, "my-app")["spec"] == {
        "instanceRef": {"name": "es"},
        "role": "editor",
        "topics": ["orders"],
    }


@pytest.mark.parametrize(
    ("flags", "topics"),
    [
        ("--topic a --topic b", ["a", "b"]),
        ("--topic a,b,a", ["a", "b"]),
        ("--topic 'pay-*'", ["pay-*"]),
        ("--all-topics", ["*"]),
    ],
)
def test_topics_are_repeated_or_separated_by_commas_or_all(shell: Terminal, flags: str, topics: list[str]) -> None:
    shell.types(f"iam-service-id-create my-app --role viewer {flags}")
    assert shell.stored(SERVICE_IDS, "my-app")["spec"]["topics"] == topics


@pytest.mark.parametrize(
    ("flags", "says"),
    [("", "no topic is named"), ("--topic a --all-topics", "--topic and --all-topics exclude each other")],
)
def test_topics_are_named_in_exactly_one_way(shell: Terminal, flags: str, says: str) -> None:
    assert shell.types(f"iam-service-id-create my-app --role viewer {flags}") == Ran(
        1,
        "",
        f"FAILED\n{says}\nWhat to do: name topics with --topic NAME, or all of the instance with --all-topics\n",
    )


def test_a_viewer_is_not_told_how_to_produce(shell: Terminal) -> None:
    ran = shell.types("iam-service-id-create my-app --role viewer --topic orders")
    assert "curl" not in ran.out
    assert some_key(1).reveal() in ran.out


def test_a_missing_role_is_wrong_usage(shell: Terminal) -> None:
    ran = shell.types("iam-service-id-create my-app --topic orders")
    assert (ran.code, ran.out) == (2, "")
    assert "Missing option '--role'" in ran.err


def test_the_key_is_printed_in_no_other_form(shell: Terminal) -> None:
    for number, output in enumerate(("name", "wide", "json", "yaml")):
        ran = shell.types(f"iam-service-id-create app-{number} --role editor --topic orders -o {output}")
        assert ran.code == 0
        assert "esk_" not in ran.out


def test_a_dry_run_prints_the_manifest(shell: Terminal) -> None:
    ran = shell.types("iam-service-id-create my-app --role editor --topic orders --dry-run=client -o yaml")
    assert yaml.safe_load(ran.out) == {
        "apiVersion": "eventstreams.dev/v1beta1",
        "kind": "ServiceID",
        "metadata": {"name": "my-app", "namespace": "team"},
        "spec": {"instanceRef": {"name": "es"}, "role": "editor", "topics": ["orders"]},
    }
    assert not [api for api, _ in shell.kube.objects if api == SERVICE_IDS]


def test_no_wait_shows_no_key(shell: Terminal) -> None:
    assert shell.types("iam-service-id-create my-app --role editor --topic orders --no-wait").out == (
        "Created service ID my-app: it is not Ready yet\nOK\n"
    )


def test_a_conflict_over_the_secret_fails_with_its_cure(shell: Terminal) -> None:
    message = "Secret my-app-credentials exists and does not belong to this ServiceID, it is not touched"
    shell.operator_answers(condition(status="False", reason="SecretConflict", message=message, stalled=True))
    ran = shell.types("iam-service-id-create my-app --role editor --topic orders")
    assert ran == Ran(
        1,
        "",
        f"FAILED\nServiceID my-app is refused: SecretConflict: {message}\n"
        "What to do: delete or rename that Secret; a ServiceID can also be re-created with another spec.secretName\n",
    )


class NoSecrets(MemoryKube):
    """An API server that lets this user read no Secret."""

    @override
    async def get(self, api: API, namespace: str | None, name: str) -> Manifest | None:
        if api == SECRETS:
            raise NotYetError(Reason.API_UNAVAILABLE, "the Kubernetes API answered 403")
        return await super().get(api, namespace, name)


def test_who_may_not_read_secrets_is_told_where_the_key_is(terminal: Terminal) -> None:
    terminal.kube = NoSecrets()
    terminal.operator_answers(condition())
    terminal.has_instance()
    ran = terminal.types("iam-service-id-create my-app --role editor --topic orders")
    assert (ran.code, ran.err) == (0, "")
    assert "API key" not in ran.out
    assert "Secret        my-app-credentials\n" in ran.out


def test_the_roles_to_choose_from_are_the_kinds() -> None:
    assert [one.value for one in service_ids.Role] == [one.value for one in serviceid.Role]


def test_the_resource_is_printed_as_json(shell: Terminal) -> None:
    ran = shell.types("iam-service-id-create my-app --role editor --topic orders -o json")
    assert json.loads(ran.out) == shell.stored(SERVICE_IDS, "my-app")
