"""One command's way to the cluster: which context, namespace and instance, and a client opened when it is needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from eventstreams.cli import choices, kubeconfig
from eventstreams.cli.choices import Choice
from eventstreams.cli.failures import FailedError
from eventstreams.cli.flags import Flags
from eventstreams.cli.program import Program

if TYPE_CHECKING:
    from eventstreams.api.instance import EventStreamsInstance
    from eventstreams.kube.client import Kube

Manifest = dict[str, Any]


class Session:
    """What the flags, the kubeconfig and `kubectl es init` say together."""

    def __init__(self, program: Program, flags: Flags) -> None:
        self.program = program
        self.flags = flags
        self.context = kubeconfig.current(flags.kubeconfig, flags.context, program.environment)
        self._remembered = choices.remembered(program.environment, self.context.name)
        self._kube: Kube | None = None

    async def kube(self) -> "Kube":
        """Return the client, opened at the first call."""
        if self._kube is None:
            name = None if self.context.kubeconfig is None else self.context.name
            self._kube = await self.program.connect(self.context.kubeconfig, name)
        return self._kube

    async def close(self) -> None:
        """Close the client, if one was opened."""
        if self._kube is not None:
            await self._kube.close()

    @property
    def namespace(self) -> str:
        """The namespace: of the flag, else of init, else of the kubeconfig."""
        remembered = self._remembered.namespace if self._remembered else None
        return self.flags.namespace or remembered or self.context.namespace

    async def choice(self) -> Choice:
        """Return the instance to work with: of the flag, else of init, else the only one in the namespace.

        Raises FailedError when there is none or more than one.
        """
        if self.flags.instance:
            return Choice(self.namespace, self.flags.instance)
        if self._remembered and self._remembered.namespace == self.namespace:
            return self._remembered
        found = await self.instances(self.namespace)
        if len(found) != 1:
            raise several(found, self.namespace) if found else none_in(self.namespace)
        return Choice(self.namespace, found[0]["metadata"]["name"])

    async def instances(self, namespace: str | None) -> tuple[Manifest, ...]:
        """Return the instances in a namespace, or in all when it is None."""
        from eventstreams.kube.apis import INSTANCES
        from eventstreams.kube.errors import NotFoundError

        try:
            return (await (await self.kube()).list(INSTANCES, namespace)).items
        except NotFoundError:
            raise FailedError(
                f"the cluster of context {self.context.name} does not know EventStreamsInstance: "
                "the operator is not installed",
                "install its Helm chart, or name another cluster with --context",
            ) from None

    async def instance(self) -> "tuple[Choice, EventStreamsInstance]":
        """Return the instance to work with, as it is now. Raises FailedError when there is none of that name."""
        from eventstreams.api.instance import EventStreamsInstance
        from eventstreams.kube.apis import INSTANCES

        choice = await self.choice()
        manifest = await (await self.kube()).get(INSTANCES, choice.namespace, choice.instance)
        if manifest is None:
            raise FailedError(
                f"there is no EventStreamsInstance {choice.instance} in namespace {choice.namespace}",
                "choose one with kubectl es init, or name it with --instance and -n",
            )
        return choice, EventStreamsInstance.model_validate(manifest)


@asynccontextmanager
async def opened(program: Program, flags: Flags) -> AsyncIterator[Session]:
    """Give a session and close its client at the end. Raises FailedError when the flags lead to no cluster."""
    session = Session(program, flags)
    try:
        yield session
    finally:
        await session.close()


def none_in(namespace: str) -> FailedError:
    """There is no instance to work with."""
    return FailedError(
        f"there is no EventStreamsInstance in namespace {namespace}",
        "create one with kubectl apply, or name another namespace with -n",
    )


def several(found: tuple[Manifest, ...], namespace: str) -> FailedError:
    """There is more than one instance to work with."""
    names = ", ".join(sorted(one["metadata"]["name"] for one in found))
    return FailedError(
        f"namespace {namespace} has {len(found)} EventStreamsInstances: {names}",
        "choose one with kubectl es init --instance NAME",
    )
