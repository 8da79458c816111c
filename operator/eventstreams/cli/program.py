"""What a command reaches of the outside, so that tests can hand in all of it."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:  # the Kubernetes client is loaded when a command calls the API server, not for --help
    from eventstreams.kube.client import Kube

TIMEOUT_SECONDS = 15.0
"""Longest wait for one answer of the API server."""


class Connect(Protocol):
    """Opens a client for a kubeconfig's context; None: the pod's own account."""

    async def __call__(self, kubeconfig: str | None, context: str | None) -> "Kube": ...


@dataclass(frozen=True, slots=True)
class Program:
    """The surroundings of one run."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    environment: Mapping[str, str]
    directory: Path
    connect: Connect
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


def of_this_process() -> Program:
    """Return the real surroundings."""
    return Program(
        stdin=sys.stdin,
        stdout=sys.stdout,
        stderr=sys.stderr,
        environment=os.environ,
        directory=Path.cwd(),
        connect=connect,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        sleep=asyncio.sleep,
    )


async def connect(kubeconfig: str | None, context: str | None) -> "Kube":
    """Open a client for the API server. Raises NotYetError when there is no usable configuration."""
    from eventstreams.kube.client import Kube

    return await Kube.connect(
        timeout_seconds=TIMEOUT_SECONDS, user_agent="kubectl-es", kubeconfig=kubeconfig, context=context
    )
