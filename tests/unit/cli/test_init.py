"""`kubectl es init`: choosing an instance and showing its endpoints."""

import pytest
import yaml
from typing_extensions import override

from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import API
from eventstreams.kube.client import Listed
from eventstreams.kube.errors import NotFoundError
from unit.cli.terminal import Ran, Terminal, condition
from unit.serviceid.memory_kube import MemoryKube

SHOWN = """\
Kubernetes context                         lab
Namespace                                  team
Instance                                   es
Event Streams API endpoint                 https://203.0.113.7:32443
Event Streams API endpoint in the cluster  https://es-rest.team.svc
Event Streams bootstrap address            es-kafka.team.svc:9093
Event Streams status                       OK
OK
"""


def test_the_only_instance_is_chosen_unasked_and_its_endpoints_are_shown(terminal: Terminal) -> None:
    terminal.has_instance()
    assert terminal.types("init") == Ran(0, SHOWN, "")


def test_the_choice_is_remembered_for_the_context(terminal: Terminal) -> None:
    terminal.has_instance()
    terminal.types("init")
    file = terminal.directory / ".config" / "eventstreams" / "config.yaml"
    assert yaml.safe_load(file.read_text()) == {"contexts": {"lab": {"namespace": "team", "instance": "es"}}}


def test_choices_for_other_contexts_stay(terminal: Terminal) -> None:
    terminal.environment["XDG_CONFIG_HOME"] = str(terminal.directory / "xdg")
    terminal.has_instance()
    terminal.has_instance("other", "default")
    terminal.types("init")
    assert terminal.types("init --context prod").code == 0
    file = terminal.directory / "xdg" / "eventstreams" / "config.yaml"
    assert yaml.safe_load(file.read_text())["contexts"] == {
        "lab": {"namespace": "team", "instance": "es"},
        "prod": {"namespace": "default", "instance": "other"},
    }


def test_where_the_namespace_has_none_the_only_one_of_the_cluster_is_chosen(terminal: Terminal) -> None:
    terminal.has_instance(namespace="elsewhere")
    assert "Namespace                                  elsewhere\n" in terminal.types("init").out


def test_several_instances_are_offered_on_a_terminal(terminal: Terminal) -> None:
    terminal.has_instance()
    terminal.has_instance("es2")
    ran = terminal.types("init --color never", answers="2\n", is_terminal=True)
    assert ran.err == "1. team/es\n2. team/es2\nWhich instance? Enter a number: "
    assert ran.code == 0
    assert "Instance                                   es2\n" in ran.out


@pytest.mark.parametrize("answer", ["", "0\n", "3\n", "x\n"])
def test_an_answer_that_is_none_of_the_numbers_chooses_nothing(terminal: Terminal, answer: str) -> None:
    terminal.has_instance()
    terminal.has_instance("es2")
    ran = terminal.types("init --color never", answers=answer, is_terminal=True)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith(f"{answer.strip() or 'nothing'} is none of the numbers 1 to 2\nWhat to do: run it again\n")


def test_where_nobody_can_answer_several_instances_are_an_error_that_lists_them(terminal: Terminal) -> None:
    terminal.has_instance()
    terminal.has_instance("es2")
    assert terminal.types("init") == Ran(
        1,
        "",
        "FAILED\nthere are 2 EventStreamsInstances: team/es, team/es2\n"
        "What to do: choose one with kubectl es init -n NAMESPACE --instance NAME\n",
    )


def test_a_named_instance_is_chosen_among_several(terminal: Terminal) -> None:
    terminal.has_instance()
    terminal.has_instance("es2")
    assert "Instance                                   es2\n" in terminal.types("init --instance es2").out


def test_a_named_instance_that_does_not_exist_is_said_to(terminal: Terminal) -> None:
    terminal.has_instance()
    assert terminal.types("init --instance nope") == Ran(
        1,
        "",
        "FAILED\nthere is no EventStreamsInstance nope in namespace team\n"
        "What to do: kubectl get esi --all-namespaces lists those there are\n",
    )


def test_without_any_instance_it_says_how_to_get_one(terminal: Terminal) -> None:
    assert terminal.types("init") == Ran(
        1,
        "",
        "FAILED\nthere is no EventStreamsInstance in namespace team\n"
        "What to do: create one with kubectl apply, or name another namespace with -n\n",
    )


def test_an_instance_that_is_not_ready_shows_why(terminal: Terminal) -> None:
    terminal.has_instance(
        endpoints=[], conditions=[condition(status="False", reason="KafkaStarting", message="the brokers are starting")]
    )
    assert terminal.types("init") == Ran(
        0,
        "Kubernetes context                         lab\n"
        "Namespace                                  team\n"
        "Instance                                   es\n"
        "Event Streams status                       KafkaStarting: the brokers are starting\n"
        "OK\n",
        "",
    )


def test_in_kubectls_manner_it_prints_a_row(terminal: Terminal) -> None:
    terminal.has_instance()
    assert terminal.types("init -o wide") == Ran(
        0,
        "NAME   KAFKA     BROKERS   READY   REASON   AGE\nes     managed   1         True    Ready    3h\n",
        "",
    )


def test_a_cluster_without_the_operator_is_told_from_one_without_instances(terminal: Terminal) -> None:
    class Bare(MemoryKube):
        @override
        async def list(
            self, api: API, namespace: str | None, *, labels: str = "", metadata_only: bool = False
        ) -> Listed:
            raise NotFoundError(Reason.API_UNAVAILABLE, f"404 {api.plural}")

    terminal.kube = Bare()
    assert terminal.types("init") == Ran(
        1,
        "",
        "FAILED\nthe cluster of context lab does not know EventStreamsInstance: the operator is not installed\n"
        "What to do: install its Helm chart, or name another cluster with --context\n",
    )


def test_the_client_uses_the_context_that_is_named(terminal: Terminal) -> None:
    terminal.has_instance(namespace="default")
    terminal.types("init --context prod")
    assert terminal.connected == [(str(terminal.directory / "kubeconfig"), "prod")]
