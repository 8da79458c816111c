"""`kubectl es topic-create` and `topics`."""

import json

import pytest
import yaml

from eventstreams.cli.topics import object_name
from eventstreams.core.key import Key
from eventstreams.kube.apis import API, TOPICS, Manifest
from unit.cli.terminal import Ran, Terminal, condition


@pytest.fixture
def shell(terminal: Terminal) -> Terminal:
    """Return the shell of somebody who has an instance with one broker."""
    terminal.has_instance()
    return terminal


def test_a_topic_is_created_with_the_products_words(shell: Terminal) -> None:
    assert shell.types("topic-create --name orders --partitions 1") == Ran(0, "Created topic orders\nOK\n", "")
    assert shell.stored(TOPICS, "orders")["spec"] == {
        "instanceRef": {"name": "es"},
        "partitions": 1,
        "replicationFactor": 1,
    }


@pytest.mark.parametrize(("brokers", "expected"), [(1, 1), (2, 2), (3, 3), (5, 3)])
def test_the_replication_factor_is_three_or_the_number_of_brokers(
    terminal: Terminal, brokers: int, expected: int
) -> None:
    terminal.has_instance(kafka={"mode": "managed", "brokers": brokers})
    terminal.types("topic-create orders")
    assert terminal.stored(TOPICS, "orders")["spec"]["replicationFactor"] == expected


def test_while_the_brokers_are_unknown_the_replication_factor_is_the_brokers_own(terminal: Terminal) -> None:
    terminal.has_instance(kafka=None)
    terminal.types("topic-create orders")
    assert "replicationFactor" not in terminal.stored(TOPICS, "orders")["spec"]


def test_flags_become_the_spec(shell: Terminal) -> None:
    shell.types("topic-create orders -p 6 -r 2 -c 'retention.ms=86400000; cleanup.policy=compact' -c a=0.5")
    assert shell.stored(TOPICS, "orders")["spec"] == {
        "instanceRef": {"name": "es"},
        "partitions": 6,
        "replicationFactor": 2,
        "config": {"retention.ms": 86400000, "cleanup.policy": "compact", "a": "0.5"},
    }


def test_a_name_that_kubernetes_does_not_take_gets_an_object_of_another_name(shell: Terminal) -> None:
    assert shell.types("topic-create My_Topic").out == "Created topic My_Topic\nOK\n"
    assert shell.stored(TOPICS, "my-topic-36e68d")["spec"]["name"] == "My_Topic"


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("orders", "orders"),
        ("orders.v1", "orders.v1"),
        ("My_Topic", "my-topic-36e68d"),
        ("my_topic", "my-topic-40f406"),
        ("orders.", "orders-b4a851"),
        ("___", "topic-bda251"),
    ],
)
def test_object_names(topic: str, expected: str) -> None:
    assert object_name(topic) == expected


def test_a_dry_run_prints_the_manifest_for_git_and_creates_nothing(shell: Terminal) -> None:
    ran = shell.types("topic-create orders -p 3 --dry-run=client -o yaml")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "apiVersion: eventstreams.dev/v1beta1\n"
        "kind: Topic\n"
        "metadata:\n"
        "  name: orders\n"
        "  namespace: team\n"
        "spec:\n"
        "  instanceRef:\n"
        "    name: es\n"
        "  partitions: 3\n"
        "  replicationFactor: 1\n"
    )
    assert shell.types("topics").out == "No topics found.\nOK\n"


def test_a_dry_run_that_needs_nothing_of_the_cluster_does_not_call_it(terminal: Terminal) -> None:
    ran = terminal.types("topic-create orders -n team --instance es -r 3 --dry-run=client -o yaml")
    assert yaml.safe_load(ran.out)["spec"]["replicationFactor"] == 3
    assert terminal.connected == []


def test_a_dry_run_in_text_says_what_it_would_do(shell: Terminal) -> None:
    assert shell.types("topic-create orders --dry-run=client").out == (
        "Would create topic orders: print it with -o yaml\nOK\n"
    )


def test_in_kubectls_manner_a_created_topic_is_named_by_kind(shell: Terminal) -> None:
    assert shell.types("topic-create orders -o name") == Ran(0, "topic.eventstreams.dev/orders\n", "")


def test_a_created_topic_as_json_is_the_resource(shell: Terminal) -> None:
    assert json.loads(shell.types("topic-create orders -o json").out) == shell.stored(TOPICS, "orders")


def test_no_wait_returns_before_the_topic_is_ready(shell: Terminal) -> None:
    shell.operator_answers(condition(status="False", reason="PartitionsStarting"))
    assert shell.types("topic-create orders --no-wait") == Ran(0, "Created topic orders: it is not Ready yet\nOK\n", "")


def test_a_refused_topic_fails_at_once_with_reason_message_and_cure(shell: Terminal) -> None:
    refusal = condition(
        status="False",
        reason="ReplicationFactorRefused",
        message="topic orders asks for 3 replicas, the instance has 1 broker",
        stalled=True,
    )
    shell.operator_answers(refusal)
    assert shell.types("topic-create orders -r 3") == Ran(
        1,
        "",
        "FAILED\nTopic orders is refused: ReplicationFactorRefused: "
        "topic orders asks for 3 replicas, the instance has 1 broker\n"
        "What to do: lower spec.replicationFactor, or leave it out for the broker's default\n",
    )


def test_a_topic_that_goes_while_it_is_waited_for_fails_with_what_to_do(shell: Terminal) -> None:
    def gone_at_once(api: API, event: str, manifest: Manifest) -> None:
        del shell.kube.objects[api, Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])]

    shell.kube.changed = gone_at_once

    assert shell.types("topic-create orders") == Ran(
        1,
        "",
        "FAILED\nTopic orders was deleted while it was waited for\n"
        "What to do: run the command again; if it goes again, find who deletes it, for example a GitOps controller\n",
    )


def test_a_cure_that_the_message_gives_already_is_not_said_twice(shell: Terminal) -> None:
    message = "Kafka says: no; lower spec.replicationFactor, or leave it out for the broker's default"
    shell.operator_answers(condition(status="False", reason="ReplicationFactorRefused", message=message, stalled=True))
    assert shell.types("topic-create orders -r 3").err == (
        f"FAILED\nTopic orders is refused: ReplicationFactorRefused: {message}\n"
    )


def test_a_topic_that_is_not_ready_in_time_fails_and_says_how_far_it_is(shell: Terminal) -> None:
    shell.operator_answers(condition(status="False", reason="KafkaUnavailable", message="Kafka does not answer"))
    assert shell.types("topic-create orders --timeout 2m") == Ran(
        1,
        "",
        "FAILED\nTopic orders is not Ready after 120 s: KafkaUnavailable: Kafka does not answer\n"
        "What to do: look at the instance's KafkaAvailable condition and at the brokers' pods; "
        "it goes on by itself: kubectl -n team describe topic/orders shows how far it is\n",
    )


def test_without_an_operator_the_wait_ends_with_a_hint(shell: Terminal) -> None:
    shell.kube.changed = lambda *_: None
    assert shell.types("topic-create orders --timeout 5") == Ran(
        1,
        "",
        "FAILED\nTopic orders is not Ready after 5 s: the operator has not looked at it\n"
        "What to do: check that the operator runs and serves namespace team\n",
    )


def test_a_condition_of_an_older_generation_is_not_believed(shell: Terminal) -> None:
    shell.operator_answers(condition(observedGeneration=0))
    assert shell.types("topic-create orders --timeout 1s").code == 1


def test_a_topic_that_exists_is_not_created_twice(shell: Terminal) -> None:
    shell.types("topic-create orders")
    assert shell.types("topic-create orders") == Ran(
        1,
        "",
        "FAILED\nTopic orders exists already in namespace team\n"
        "What to do: choose another name, or change it with kubectl -n team edit topic/orders\n",
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("topic-create", "no name is given\nWhat to do: write it after the command, or with --name\n"),
        ("topic-create a --name b", "two names are given: a and b\nWhat to do: give one\n"),
        (
            "topic-create a -c retention.ms",
            "--config retention.ms is no entry\nWhat to do: write key=value, for example retention.ms=86400000\n",
        ),
        ("topic-create a --timeout soon", "soon is no duration\nWhat to do: write 90s, 2m or 1h\n"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_created(shell: Terminal, line: str, says: str) -> None:
    assert shell.types(line) == Ran(1, "", f"FAILED\n{says}")
    assert not [api for api, _ in shell.kube.objects if api == TOPICS]


def test_topics_are_listed_in_the_products_words(shell: Terminal) -> None:
    for name in ("payments", "orders", "My_Topic"):
        shell.types(f"topic-create {name}")
    assert shell.types("topics") == Ran(0, "Topic name\nMy_Topic\norders\npayments\nOK\n", "")


def test_topics_of_other_instances_are_not_listed(shell: Terminal) -> None:
    shell.has_instance("other")
    shell.types("topic-create orders --instance es")
    assert shell.types("topics --instance other").out == "No topics found.\nOK\n"


def test_topics_in_kubectls_manner(shell: Terminal) -> None:
    shell.types("topic-create My_Topic")
    assert shell.types("topics -o wide").out == (
        "NAME              TOPIC      PARTITIONS   REPLICAS   READY   REASON   AGE\n"
        "my-topic-36e68d   My_Topic   <none>       <none>     True    Ready    3h\n"
    )
    assert shell.types("topics -o name").out == "topic.eventstreams.dev/my-topic-36e68d\n"
    assert yaml.safe_load(shell.types("topics -o yaml").out)["items"] == [shell.stored(TOPICS, "my-topic-36e68d")]


def test_where_a_namespace_has_several_instances_and_none_is_chosen_the_command_says_so(shell: Terminal) -> None:
    shell.has_instance("other")
    assert shell.types("topics") == Ran(
        1,
        "",
        "FAILED\nnamespace team has 2 EventStreamsInstances: es, other\n"
        "What to do: choose one with kubectl es init --instance NAME\n",
    )


def test_what_init_remembered_is_used_and_a_flag_wins(shell: Terminal) -> None:
    shell.has_instance("other")
    shell.types("init --instance other")
    shell.types("topic-create one")
    shell.types("topic-create two --instance es")
    assert shell.stored(TOPICS, "one")["spec"]["instanceRef"]["name"] == "other"
    assert shell.stored(TOPICS, "two")["spec"]["instanceRef"]["name"] == "es"


def test_an_instance_that_is_named_and_missing_is_said_to(shell: Terminal) -> None:
    assert shell.types("topic-create orders --instance nope").err == (
        "FAILED\nthere is no EventStreamsInstance nope in namespace team\n"
        "What to do: choose one with kubectl es init, or name it with --instance and -n\n"
    )
