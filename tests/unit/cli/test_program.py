"""What all commands share: help, colour, contexts, failures and exit codes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from typing_extensions import override

from eventstreams.core.errors import NotYetError
from eventstreams.core.reasons import Reason
from eventstreams.kube.apis import Manifest
from eventstreams.kube.errors import InvalidError
from unit.cli.terminal import Ran, Terminal, condition
from unit.serviceid.memory_kube import MemoryKube

COMMANDS = ("init", "topics", "topic-create", "iam-service-id-create", "certificates")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_teaches_with_examples(terminal: Terminal, command: str) -> None:
    ran = terminal.types(f"{command} --help")
    assert (ran.code, ran.err) == (0, "")
    assert f"  For example:\n    kubectl es {command}" in ran.out


def test_help_lists_every_command(terminal: Terminal) -> None:
    ran = terminal.types("--help")
    assert ran.code == 0
    for command in COMMANDS:
        assert f"\n  {command}  " in ran.out


def test_without_arguments_the_help_is_shown(terminal: Terminal) -> None:
    assert "kubectl es topic-create --name orders" in terminal.types("").err


def test_an_unknown_command_is_wrong_usage_and_the_nearest_one_is_named(terminal: Terminal) -> None:
    ran = terminal.types("topic-creat")
    assert ran.code == 2
    assert "Did you mean 'topic-create'?" in ran.err


def test_help_is_there_in_half_a_second() -> None:
    started = time.perf_counter()
    code = "import sys; from eventstreams.main.cli import main; sys.argv[1:] = ['--help']; main()"
    environment = {"PYTHONPATH": str(Path(__file__).parents[3] / "operator")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    assert time.perf_counter() - started < 2  # 0.2 s on an idle machine


def test_help_loads_neither_the_kubernetes_client_nor_the_models() -> None:
    code = (
        "import sys; from eventstreams.main.cli import run; from eventstreams.cli.program import of_this_process\n"
        "run(['--help'], of_this_process())\n"
        "print([name for name in ('kubernetes', 'eventstreams.api', 'rich', 'yaml') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[3] / "operator")}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("flags", "is_terminal", "environment", "is_colored"),
    [
        ("", False, {}, False),
        ("", True, {}, True),
        ("", True, {"NO_COLOR": "1"}, False),
        ("", True, {"TERM": "dumb"}, False),
        ("--color never", True, {}, False),
        ("--color always", False, {}, True),
        ("--color always", False, {"NO_COLOR": "1"}, True),
    ],
)
def test_colour_is_for_terminals_unless_asked_otherwise(
    terminal: Terminal, flags: str, environment: dict[str, str], *, is_terminal: bool, is_colored: bool
) -> None:
    terminal.has_instance()
    terminal.environment |= environment
    ran = terminal.types(f"topics {flags}", is_terminal=is_terminal)
    assert ran.out == "No topics found.\n" + ("\x1b[32mOK\x1b[0m\n" if is_colored else "OK\n")


def test_on_a_terminal_something_moves_while_it_waits(terminal: Terminal) -> None:
    terminal.has_instance()
    ran = terminal.types("topic-create orders", is_terminal=True)
    assert "Waiting for Topic orders to be Ready" in ran.err


class Failing(MemoryKube):
    """An API server that answers every create with an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    @override
    async def create(self, manifest: Manifest) -> Manifest:
        if manifest["kind"] == "Topic":
            raise self._error
        return await super().create(manifest)


def failing(terminal: Terminal, error: Exception) -> Ran:
    """Create a topic where that fails."""
    terminal.kube = Failing(error)
    terminal.operator_answers(condition())
    terminal.has_instance()
    return terminal.types("topic-create orders")


def test_an_api_server_that_does_not_answer_is_told_with_what_to_check(terminal: Terminal) -> None:
    error = NotYetError(Reason.API_UNAVAILABLE, "the Kubernetes API does not answer POST /apis/x: refused")
    assert failing(terminal, error) == Ran(
        1,
        "",
        "FAILED\nthe Kubernetes API does not answer POST /apis/x: refused\n"
        "What to do: check --kubeconfig and --context, and your rights with: kubectl auth can-i --list\n",
    )


def test_a_rule_of_the_api_server_is_told_in_its_own_words(terminal: Terminal) -> None:
    error = InvalidError('the Kubernetes API answered 422 to POST /x: Topic "o" is invalid: names that begin with __')
    assert failing(terminal, error) == Ran(
        1,
        "",
        'FAILED\nTopic "o" is invalid: names that begin with __\n'
        "What to do: correct what it names and run the command again\n",
    )


def test_a_bug_ends_with_its_traceback_and_exit_code_70(terminal: Terminal) -> None:
    ran = failing(terminal, ZeroDivisionError("division by zero"))
    assert (ran.code, ran.out) == (70, "")
    assert "ZeroDivisionError: division by zero" in ran.err
    assert ran.err.endswith("This is an error in kubectl es itself: please report it with the lines above.\n")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--kubeconfig /nowhere", "there is no kubeconfig at /nowhere\nWhat to do: name one with --kubeconfig"),
        ("--context nope", "has no context nope\nWhat to do: kubectl config get-contexts lists those it has"),
    ],
)
def test_a_kubeconfig_or_context_that_is_not_there_is_said_to(terminal: Terminal, flags: str, says: str) -> None:
    ran = terminal.types(f"topics {flags}")
    assert ran.code == 1
    assert says in ran.err


def test_several_kubeconfigs_are_read_as_kubectl_does_the_first_one_decides(terminal: Terminal) -> None:
    first = terminal.directory / "first"
    first.write_text("{current-context: prod, contexts: []}")
    terminal.environment["KUBECONFIG"] = f"{first}:{terminal.directory / 'kubeconfig'}:/nowhere"
    terminal.has_instance(namespace="default")
    assert "Kubernetes context                         prod\n" in terminal.types("init").out


def test_in_a_pod_its_own_account_is_used(terminal: Terminal) -> None:
    terminal.environment = {"HOME": str(terminal.directory), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    terminal.has_instance(namespace="default")
    assert "Kubernetes context                         in-cluster\n" in terminal.types("init").out
    assert terminal.connected == [(None, None)]


def test_a_damaged_memory_is_as_none(terminal: Terminal) -> None:
    terminal.has_instance()
    file = terminal.directory / ".config" / "eventstreams" / "config.yaml"
    file.parent.mkdir(parents=True)
    for text in ("", "[", "contexts: 3", "contexts: {lab: 3}", "contexts: {lab: {namespace: x}}"):
        file.write_text(text)
        assert terminal.types("topics").code == 0
