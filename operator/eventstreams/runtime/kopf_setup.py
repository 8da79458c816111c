"""Kopf as this project uses it: it watches our three kinds and calls the rooms' `on.event` handlers, nothing else.

No peering (the Lease decides who acts), no state in annotations, no finalizer of its own, no event posting, no
admission. It logs in with the credentials of our own client, so that one configuration serves both.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Final

import kopf
from kopf._cogs.structs.references import Insights

from eventstreams.core.names import GROUP
from eventstreams.kube.client import WATCH_SECONDS, Kube
from eventstreams.runtime.context import Context
from eventstreams.runtime.settings import OperatorSettings

QUIET: Final = ("kopf.objects", "kopf.activities", "kopf._core.reactor.running", "kopf._core.engines")
"""Kopf's loggers that say below WARNING what concerns nobody: a line or a whole body per event, each log-in."""

SCAN_SECONDS: Final = 5.0
"""How long a stop waits for Kopf to have read which kinds the API server has: some milliseconds, where it answers."""


def settings_for(settings: OperatorSettings) -> kopf.OperatorSettings:
    """Return Kopf's settings; every one that matters is set here, whatever its default."""
    out = kopf.OperatorSettings()
    out.watching.server_timeout = WATCH_SECONDS  # unset, the server chooses, and silent watches go unnoticed
    out.watching.client_timeout = WATCH_SECONDS + 10  # for a server that does not end the watch as asked
    out.watching.connect_timeout = settings.kube_timeout_seconds  # unset, 5 minutes
    out.watching.inactivity_timeout = 70  # bookmarks come every 60 s, and events stay readable for 75 s
    out.watching.reconnect_backoff = 1  # the default of 0.1 s is a storm on an API server that is starting
    out.watching.chunk_size = 500  # a list of everything at once is a memory peak on both sides
    out.networking.request_timeout = settings.kube_timeout_seconds * 3  # a page of 500 objects
    out.networking.connect_timeout = settings.kube_timeout_seconds
    out.scanning.disabled = True  # watching CRDs and namespaces needs cluster rights that nothing here uses
    out.posting.enabled = False  # Events are posted by kube/events.py, when a person should know
    out.peering.standalone = True  # peering does not fence; the Lease does
    out.persistence.finalizer = f"{GROUP}/unused-by-kopf"  # Kopf strips a finalizer of this name: not the real one
    out.queueing.worker_limit = None  # handlers return at once: a limit would only delay events
    out.queueing.idle_timeout = 1  # a worker per object that saw an event: gone after a second, not five
    out.queueing.exit_timeout = 1  # at the end nothing is left to do in a handler
    out.execution.max_workers = 1  # no synchronous handlers exist
    out.process.ultimate_exiting_timeout = None  # main bounds the shutdown; this would kill a host process in tests
    return out


def quieten() -> None:
    """Keep Kopf's chatter out of the log; its warnings and errors stay."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


async def watch(context: Context, kube: Kube, *, started: asyncio.Event, stop: asyncio.Event) -> None:
    """Run Kopf until `stop` is set; `started` is set once it watches.

    A watcher that dies ends this with its error. Kopf cancels, when it ends, every task that was made after it
    began: so it is started after all others and stopped after them. It also takes over SIGTERM and SIGINT: the caller
    sets its own handlers again after `started`.
    """
    registry = kopf.get_default_registry()

    async def login(**_: object) -> kopf.ConnectionInfo:
        return await connection(kube)

    kopf.on.login(registry=registry, id="login")(login)
    names = [name for name in context.settings.namespaces if name is not None]
    insights = Insights()
    stopping = asyncio.create_task(_after_the_scan(insights, stop))
    try:
        await kopf.operator(
            registry=registry,
            settings=settings_for(context.settings),
            insights=insights,
            memo=context,
            standalone=True,
            clusterwide=not names,
            namespaces=names,
            ready_flag=started,
            stop_flag=stopping,
        )
    finally:
        stopping.cancel()


async def _after_the_scan(insights: Insights, stop: asyncio.Event) -> None:
    """Return when Kopf may be stopped: during its scan it would leave tasks behind that log errors."""
    await stop.wait()
    with suppress(TimeoutError):
        async with asyncio.timeout(SCAN_SECONDS):
            await insights.ready_resources.wait()


async def connection(kube: Kube) -> kopf.ConnectionInfo:
    """Return our client's way to the API server in Kopf's terms; asked for again when a token has run out."""
    credentials = await kube.credentials()
    scheme, _, token = (credentials.authorization or "").partition(" ")
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.ca_path,
        insecure=credentials.insecure,
        scheme=scheme or None,
        token=token or None,
        certificate_path=credentials.certificate_path,
        private_key_path=credentials.private_key_path,
    )
