"""The process: its parts, its ports, its reloads and its end.

Start: listen at once, be ready when the keyring is whole, Kafka answers and all producers are connected. End, on
SIGTERM or SIGINT: unready at once and every answer the last of its connection, while the endpoint is withdrawn; then
listen no more, finish what is in flight, flush, exit 0.
"""

import asyncio
import contextlib
import errno
import logging
import random
import signal
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final, Protocol

from confluent_kafka import KafkaException
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from eventstreams.core.keyring import SHARDS
from eventstreams.producer import api_pages, keyring_file, metrics
from eventstreams.producer.allowance import Window
from eventstreams.producer.answers import Answers
from eventstreams.producer.cluster import Cluster, ClusterError
from eventstreams.producer.connection import Connection
from eventstreams.producer.delivery import Delivery
from eventstreams.producer.endpoint import Endpoint
from eventstreams.producer.files import Watched
from eventstreams.producer.keyring_file import KeyringFile
from eventstreams.producer.keyring_watch import KeyringWatch
from eventstreams.producer.keys import Keys
from eventstreams.producer.pages import Page, PageSite
from eventstreams.producer.settings import ProducerSettings, client_config, kafka_credentials, producer_config
from eventstreams.producer.tls import TLS, server_context
from eventstreams.producer.topic_map import TopicMap
from eventstreams.producer.turns import Turns

logger = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_LOOK_SECONDS: Final = 1.0
_AGE_JITTER: Final = 0.2
_ASKING_SECONDS: Final = 0.5  # for clients that connected a moment before the end
_LAST_SECONDS: Final = 3.0  # for clients that linger when all is answered


class StartError(Exception):
    """The process cannot begin for a reason that a person can cure."""


class Keyring(Protocol):
    """What keeps the keys current."""

    async def keep(self) -> None: ...
    def age_seconds(self) -> float: ...


class Server:
    """One REST producer. `run` is its whole life."""

    def __init__(self, settings: ProducerSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._limits = settings.limits
        self._tls = None if settings.tls_dir is None else server_context(settings.tls_dir)
        self._keys = Keys(time.time, SHARDS if settings.keyring_file is None else keyring_file.SHARDS)
        self._keyring = self._make_keyring()
        self._turns = Turns(loop.call_soon)
        self._delivery = Delivery(producer_config(settings), loop, self._turns)
        self._topics = TopicMap(client_config(settings), loop, self._delivery.refresh)
        self._make_sites()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain. Raises StartError when a port is taken."""
        api = await self._listen(self._api, self._settings.port, is_secured=self._tls is not None)
        pages = await self._listen(self._pages, self._settings.metrics_port, is_secured=False)
        logger.info("Listening", extra={"port": self._settings.port, "metrics_port": self._settings.metrics_port})
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._keyring.keep()),
                group.create_task(self._topics.keep()),
                group.create_task(self._look_after()),
            ]
            await stop.wait()
            await self._drain(api)
            for task in tasks:
                task.cancel()
        pages.close()
        logger.info("Stopped")

    # Health

    def lacks(self) -> list[str]:
        """Return what is missing to be ready."""
        lacks = []
        if self._keys.missing:
            lacks.append(f"keyring shards {', '.join(map(str, self._keys.missing))}")
        if not (self._delivery.is_ready and self._topics.has_answered):
            lacks.append("Kafka")
        return lacks

    def is_stuck(self) -> bool:
        """Whether a thread hangs; a hanging event loop does not answer at all."""
        return self._delivery.is_stuck

    # parts

    def _make_keyring(self) -> Keyring:
        settings = self._settings
        if settings.keyring_file is not None:
            return KeyringFile(settings.keyring_file, self._keys)
        return KeyringWatch(
            Cluster.of_pod(),
            self._keys,
            namespace=settings.namespace,
            instance=settings.instance,
            clock=self._loop.time,
            chance=random.random,
        )

    def _make_sites(self) -> None:
        answers, tally, settings = Answers(time.time), metrics.Tally(), self._settings
        window = Window(records=settings.in_flight_records, size=settings.in_flight_bytes, clock=self._loop.time)
        self._api = Endpoint(
            answers=answers,
            tally=tally,
            limits=self._limits,
            keys=self._keys,
            topics=self._topics,
            sender=self._delivery,
            window=window,
            call_later=self._call_later,
            turns=self._turns,
            health=self,
            pages=api_pages.pages(self._limits, has_page=settings.page),
        )
        gauges: metrics.Gauges = {
            metrics.IN_FLIGHT: lambda: window.records,
            metrics.CONNECTIONS: lambda: len(self._api.clients),
            metrics.KEYS: lambda: len(self._keys),
            metrics.KEYRING_AGE: self._keyring.age_seconds,
            metrics.TOPICS: lambda: len(self._topics),
            metrics.TOPICS_ALONE: lambda: self._delivery.topics_alone,
            metrics.KAFKA_UP: lambda: not self._topics.is_away,
        }
        registry = metrics.registry_of(tally, gauges)
        scrape: Callable[[], Page] = lambda: Page(CONTENT_TYPE_LATEST, generate_latest(registry))  # noqa: E731
        self._pages = PageSite(
            answers, metrics.Tally(), self._limits, {b"/metrics": scrape}, Turns(self._loop.call_soon)
        )

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call after about `seconds`, so that those who are told to come later do not come all at once."""
        self._loop.call_later(seconds * (0.5 + random.random()), call)  # noqa: S311  not a secret

    async def _listen(self, site: PageSite, port: int, *, is_secured: bool) -> asyncio.Server:
        loop, limits = self._loop, self._limits

        def factory() -> asyncio.Protocol:
            jitter = 1 + _AGE_JITTER * (2 * random.random() - 1)  # noqa: S311  not a secret
            connection = Connection(site, limits, loop.time, limits.age_seconds * jitter)
            if not is_secured or self._tls is None:
                return connection
            return TLS(self._tls, connection, loop, limits.handshake_seconds)

        try:
            return await loop.create_server(factory, sock=_socket(port), backlog=_BACKLOG)
        except OSError as error:
            raise StartError(f"port {port} cannot be listened on: {error.strerror}") from error

    async def _look_after(self) -> None:
        """Every second: enforce deadlines, notice changed files."""
        settings = self._settings
        certificate = Watched(
            *() if settings.tls_dir is None else (settings.tls_dir / "tls.crt", settings.tls_dir / "tls.key")
        )
        directory = settings.kafka_credentials_dir
        credentials = Watched(*() if directory is None else (directory / "username", directory / "password"))
        ca = Watched(*() if settings.kafka_ca_file is None else (settings.kafka_ca_file,))
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for site in (self._api, self._pages):
                site.sweep(self._loop.time())
            if certificate.has_changed():
                self._reload_certificate()
            if credentials.has_changed():
                self._reload_credentials()
            if ca.has_changed():
                self._renew_clients()

    def _renew_clients(self) -> None:
        try:
            self._delivery.renew()
            self._topics.renew()
        except KafkaException as error:
            logger.warning("Kept Kafka's clients, the new CA cannot be used", extra={"error": str(error)})
        else:
            logger.info("Renewed Kafka's clients for a changed CA")

    def _reload_certificate(self) -> None:
        directory = self._settings.tls_dir
        if directory is None:
            return
        try:
            self._tls = server_context(directory)
        except (OSError, ssl.SSLError) as error:
            logger.warning("Kept the certificate, its files cannot be used", extra={"error": str(error)})
        else:
            logger.info("Reloaded the certificate")

    def _reload_credentials(self) -> None:
        directory = self._settings.kafka_credentials_dir
        if directory is None:
            return
        try:
            username, password = kafka_credentials(directory)
        except (OSError, ValueError) as error:
            logger.warning("Kept Kafka's credentials, their files cannot be used", extra={"error": str(error)})
            return
        self._delivery.use_credentials(username, password)
        self._topics.use_credentials(username, password)
        logger.info("Reloaded Kafka's credentials", extra={"username": username})

    async def _drain(self, api: asyncio.Server) -> None:
        settings = self._settings
        serving = max(0.0, settings.drain_seconds - settings.request_timeout_seconds)
        logger.info("Draining", extra={"serving_seconds": serving, "connections": len(self._api.clients)})
        self._api.is_draining = True
        await asyncio.sleep(serving)
        api.close()
        await asyncio.sleep(_ASKING_SECONDS)
        for client in tuple(self._api.clients):
            client.retire()
        await self._until_parted(settings.drain_seconds - serving + _LAST_SECONDS)
        if not await self._delivery.close(_LAST_SECONDS):
            logger.warning("Gave up records without an answer from Kafka", extra={"records": self._delivery.in_flight})

    async def _until_parted(self, seconds: float) -> None:
        """Wait until every client is gone; those who stay longer are cut off."""
        if self._api.clients:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._api.emptied.wait()
        for client in tuple(self._api.clients):
            client.abort()


async def serve(settings: ProducerSettings) -> None:
    """Run a REST producer until SIGTERM or SIGINT. Raises StartError."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        server = Server(settings, loop)
    except (OSError, ClusterError, KafkaException) as error:
        raise StartError(str(error)) from error
    await server.run(stop)


def _socket(port: int) -> socket.socket:
    """Return a listening socket for every address of the machine, IPv4 and IPv6 where it has that."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:  # IPv6 is built in but switched off
                raise
    return socket.create_server(("", port), backlog=_BACKLOG)
