"""`kubectl es init`: choose the instance to work with, remember it, show where it is reached."""

from eventstreams.cli import choices
from eventstreams.cli.choices import Choice
from eventstreams.cli.failures import FailedError
from eventstreams.cli.screen import Screen
from eventstreams.cli.session import Manifest, Session, none_in
from eventstreams.cli.waiting import condition, is_true
from eventstreams.core.errors import NotYetError


async def initialise(session: Session) -> Manifest:
    """Choose an instance, remember it for this context, and return it. Raises FailedError when none can be chosen."""
    namespace, wanted = session.flags.namespace or session.context.namespace, session.flags.instance
    found = [one for one in await _candidates(session, namespace) if wanted in {None, one["metadata"]["name"]}]
    if not found and wanted:
        raise FailedError(
            f"there is no EventStreamsInstance {wanted} in namespace {namespace}",
            "kubectl get esi --all-namespaces lists those there are",
        )
    if not found:
        raise none_in(namespace)
    chosen = found[0] if len(found) == 1 else _asked(session, found)
    metadata = chosen["metadata"]
    choice = Choice(metadata["namespace"], metadata["name"])
    choices.remember(session.program.environment, session.context.name, choice)
    return chosen


def show(screen: Screen, context: str, instance: Manifest) -> None:
    """Print an instance's endpoints in the product's manner."""
    internal, external = _uri(instance, "producer-api", "internal"), _uri(instance, "producer-api", "external")
    ready = condition(instance, "Ready")
    why = f"{ready['reason']}: {ready.get('message', '')}" if ready else "the operator has not looked at it yet"
    screen.pairs(
        [
            ("Kubernetes context", context),
            ("Namespace", instance["metadata"]["namespace"]),
            ("Instance", instance["metadata"]["name"]),
            ("Event Streams API endpoint", external or internal),
            ("Event Streams API endpoint in the cluster", internal if external else ""),
            (
                "Event Streams bootstrap address",
                _uri(instance, "kafka", "external") or _uri(instance, "kafka", "internal"),
            ),
            ("Event Streams status", "OK" if is_true(instance, "Ready") else why),
        ]
    )


async def _candidates(session: Session, namespace: str) -> tuple[Manifest, ...]:
    """Return the instances of the namespace, or of the whole cluster where it has none and we may look."""
    found = await session.instances(namespace)
    if found or session.flags.namespace:
        return found
    try:
        return await session.instances(None)
    except NotYetError:  # no right to look into other namespaces
        return ()


def _asked(session: Session, found: list[Manifest]) -> Manifest:
    """Let a person choose. Raises FailedError where nobody can answer, or the answer is none of the numbers."""
    program = session.program
    found = sorted(found, key=_name)
    if not program.stdin.isatty():
        raise FailedError(
            f"there are {len(found)} EventStreamsInstances: {', '.join(_name(one) for one in found)}",
            "choose one with kubectl es init -n NAMESPACE --instance NAME",
        )
    for number, one in enumerate(found, start=1):
        program.stderr.write(f"{number}. {_name(one)}\n")
    program.stderr.write("Which instance? Enter a number: ")
    program.stderr.flush()
    answer = program.stdin.readline().strip()
    if not answer.isdecimal() or not 1 <= int(answer) <= len(found):
        raise FailedError(f"{answer or 'nothing'} is none of the numbers 1 to {len(found)}", "run it again")
    return found[int(answer) - 1]


def _name(instance: Manifest) -> str:
    return f"{instance['metadata']['namespace']}/{instance['metadata']['name']}"


def _uri(instance: Manifest, name: str, scope: str) -> str:
    endpoints = (instance.get("status") or {}).get("endpoints") or ()
    return next((one["uri"] for one in endpoints if (one["name"], one["scope"]) == (name, scope)), "")
