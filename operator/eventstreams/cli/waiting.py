"""Waiting until the operator says that a resource is Ready, and telling why it is not."""

from typing import TYPE_CHECKING, Any

from eventstreams.cli.failures import FailedError, cure_of
from eventstreams.cli.program import Program

if TYPE_CHECKING:
    from eventstreams.kube.apis import API
    from eventstreams.kube.client import Kube

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0

Manifest = dict[str, Any]


async def until_ready(program: Program, kube: "Kube", api: "API", manifest: Manifest, timeout: float) -> Manifest:  # noqa: ASYNC109  # the clock is the program's, so that tests drive it
    """Return the resource once it is Ready.

    Raises FailedError when it is refused, is gone, or is not Ready after `timeout` seconds.
    """
    metadata = manifest["metadata"]
    deadline, pause = program.monotonic() + timeout, FIRST_PAUSE_SECONDS
    while True:
        live = await kube.get(api, metadata["namespace"], metadata["name"])
        if live is None:
            raise FailedError(
                f"{api.kind} {metadata['name']} was deleted while it was waited for",
                "run the command again; if it goes again, find who deletes it, for example a GitOps controller",
            )
        if is_true(live, "Ready"):
            return live
        if is_true(live, "Stalled"):
            raise _not_ready(live, "is refused")
        if program.monotonic() >= deadline:
            raise _not_ready(live, f"is not Ready after {timeout:g} s")
        await program.sleep(min(pause, max(0.0, deadline - program.monotonic())))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def is_true(manifest: Manifest, name: str) -> bool:
    """Tell whether a condition holds, judged on the newest spec."""
    found = condition(manifest, name)
    generation = manifest["metadata"].get("generation", 0)
    return found.get("status") == "True" and found.get("observedGeneration", 0) >= generation


def condition(manifest: Manifest, name: str) -> dict[str, Any]:
    """Return a condition of a resource, empty when it has none of that type."""
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == name), {})


def _not_ready(live: Manifest, how: str) -> FailedError:
    kind, name, namespace = live["kind"], live["metadata"]["name"], live["metadata"]["namespace"]
    ready = condition(live, "Ready")
    if not ready:
        return FailedError(
            f"{kind} {name} {how}: the operator has not looked at it",
            f"check that the operator runs and serves namespace {namespace}",
        )
    message, cure = ready.get("message") or "no message", cure_of(ready["reason"])
    cures = [] if cure in message else [cure]
    if not is_true(live, "Stalled"):
        cures.append(f"it goes on by itself: kubectl -n {namespace} describe {kind.lower()}/{name} shows how far it is")
    return FailedError(f"{kind} {name} {how}: {ready['reason']}: {message}", "; ".join(cures))
