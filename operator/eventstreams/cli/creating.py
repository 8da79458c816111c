"""What every command that creates a resource does: print only, or create, wait and print."""

from typing import TYPE_CHECKING, Any

from eventstreams.cli.failures import FailedError
from eventstreams.cli.flags import Creating, DryRun, seconds
from eventstreams.cli.screen import Screen
from eventstreams.cli.session import Session
from eventstreams.cli.waiting import until_ready

if TYPE_CHECKING:
    from eventstreams.kube.apis import API

Manifest = dict[str, Any]


async def created(session: Session, screen: Screen, api: "API", manifest: Manifest, creating: Creating) -> Manifest:
    """Return the resource as it then is: only thought of in a dry run, created, or Ready where it is waited for.

    `screen` shows that something is going on. Raises FailedError when it exists already, is refused, or takes longer
    than the timeout.
    """
    timeout = seconds(creating.timeout)
    if creating.dry_run is DryRun.CLIENT:
        return manifest
    from eventstreams.kube.errors import AlreadyExistsError

    kube, metadata = await session.kube(), manifest["metadata"]
    try:
        made = await kube.create(manifest)
    except AlreadyExistsError:
        raise FailedError(
            f"{api.kind} {metadata['name']} exists already in namespace {metadata['namespace']}",
            f"choose another name, or change it with kubectl -n {metadata['namespace']} edit "
            f"{api.kind.lower()}/{metadata['name']}",
        ) from None
    if not creating.wait:
        return made
    with screen.working(f"Waiting for {api.kind} {metadata['name']} to be Ready"):
        return await until_ready(session.program, kube, api, made, timeout)
