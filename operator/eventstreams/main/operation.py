"""The operator put together: which parts there are, in which order they start and in which they stop."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from eventstreams.api.instance import EventStreamsInstance, InstanceStatus
from eventstreams.api.model import Resource, Status
from eventstreams.api.serviceid import ServiceID, ServiceIDStatus
from eventstreams.api.topic import Topic, TopicStatus
from eventstreams.core.clock import Clock, SystemClock
from eventstreams.core.errors import NotYetError
from eventstreams.core.version import VERSION
from eventstreams.instance import handlers as instance_handlers
from eventstreams.instance.reconcile import InstanceReconciler
from eventstreams.kafka.connections import Kafkas
from eventstreams.kafka.views import AdminCall
from eventstreams.kube.apis import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    INSTANCES,
    PODS,
    SERVICE_IDS,
    SERVICES,
    STATEFUL_SETS,
    TOPICS,
)
from eventstreams.kube.client import Kube
from eventstreams.kube.errors import ForbiddenError, NotFoundError
from eventstreams.kube.reflector import Reflector
from eventstreams.runtime import kopf_setup
from eventstreams.runtime.context import Context
from eventstreams.runtime.controller import Controller, Limits, Reconciler
from eventstreams.runtime.health import Heartbeats, application, serving
from eventstreams.runtime.lease import Fence, Lease, Terms
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.queue import Backoff
from eventstreams.runtime.settings import OperatorSettings
from eventstreams.runtime.sweep import Sweep, periodically
from eventstreams.serviceid import handlers as serviceid_handlers
from eventstreams.serviceid.keyring import Keyrings
from eventstreams.serviceid.reconcile import ServiceIDReconciler
from eventstreams.topic import handlers as topic_handlers
from eventstreams.topic import sweep as topic_sweep
from eventstreams.topic.reconcile import TopicReconciler

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Resource)
S = TypeVar("S", bound=Status)

HANDLERS: Final = (instance_handlers, serviceid_handlers, topic_handlers)
"""Importing them is what registers them with Kopf."""

OWNED: Final = (DEPLOYMENTS, STATEFUL_SETS, SERVICES, PODS, CONFIG_MAPS)
REFLECTOR_LIMIT_SECONDS: Final = 600
"""A watch of owned objects that shows no sign for so long (bookmarks come every minute) is stuck."""
START_RETRY_SECONDS: Final = 2.0


class StartError(Exception):
    """The cluster is not prepared for the operator; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Process:
    """What belongs to the process and not to its work."""

    settings: OperatorSettings
    clock: Clock
    metrics: Metrics
    heartbeats: Heartbeats
    lease: Lease
    fence: Fence
    stop: asyncio.Event
    arm: Callable[[], None]


async def operate(settings: OperatorSettings, stop: asyncio.Event, *, arm: Callable[[], None]) -> None:
    """Run the operator until `stop` is set. `arm` sets the signal handlers, called anew when Kopf took them over.

    Raises StartError when kinds or rights are missing; an error of any part ends all of them.
    """
    clock, metrics = SystemClock(), Metrics()
    heartbeats, fence = Heartbeats(clock), Fence(clock)
    async with AsyncExitStack() as stack:
        kube = await Kube.connect(
            timeout_seconds=settings.kube_timeout_seconds,
            user_agent=f"eventstreams-operator/{VERSION}",
            connections=settings.kube_connections,
        )
        stack.push_async_callback(kube.close)
        port = await stack.enter_async_context(serving(application(heartbeats, metrics.registry), settings.health_port))
        logger.info("Started", extra={"version": VERSION, "health_port": port})
        lease = Lease(kube, _terms(settings), clock, fence)
        stack.push_async_callback(lease.release)
        if not await _unless(stop, _prepare(kube, settings, lease)):
            return
        metrics.leader.set(1)
        process = Process(settings, clock, metrics, heartbeats, lease, fence, stop, arm)
        kafkas = Kafkas(
            fence=fence.check, timeout_seconds=settings.kafka_timeout_seconds, record=partial(_record, metrics)
        )
        stack.push_async_callback(kafkas.close)
        await _Work(process, kube, kafkas).run()
        logger.info("Stopped")


async def _prepare(kube: Kube, settings: OperatorSettings, lease: Lease) -> None:
    """Return when the kinds are served and the Lease is ours."""
    while True:
        try:
            await _require_kinds(kube, settings)
            break
        except NotYetError as error:
            logger.warning("Waiting for the Kubernetes API", extra={"error": error.message})
            await asyncio.sleep(START_RETRY_SECONDS)
    await lease.acquire()


async def _require_kinds(kube: Kube, settings: OperatorSettings) -> None:
    """Check that all our kinds can be listed. Raises StartError, or NotYetError when that is not known yet."""
    unknown: NotYetError | None = None
    for api in (INSTANCES, TOPICS, SERVICE_IDS):
        for namespace in settings.namespaces:
            try:
                await kube.list(api, namespace, labels="eventstreams.dev/none", metadata_only=True)
            except NotFoundError as error:
                raise StartError(
                    f"the cluster does not serve {api.plural} of {api.api_version}: "
                    "apply the project's crds/, or set crds.enabled in the chart"
                ) from error
            except ForbiddenError as error:
                where = f"in namespace {namespace}" if namespace else "in all namespaces: give it, or name namespaces"
                raise StartError(f"the operator lacks a right {where} ({error.message})") from error
            except NotYetError as error:  # a new CRD answers 429 for a second after its first request
                unknown = error
    if unknown is not None:
        raise unknown


class _Work:
    """What the holder of the Lease does, from the first list to the last finished object."""

    def __init__(self, process: Process, kube: Kube, kafkas: Kafkas) -> None:
        self._process = process
        self._kube = kube
        settings, fenced = process.settings, kube.guarded(process.fence.check)
        limits = Limits(
            workers=settings.workers,
            reconcile_seconds=settings.reconcile_timeout_seconds,
            backoff=Backoff(settings.retry_base_seconds, settings.retry_cap_seconds),
        )
        tools: dict[str, Any] = {
            "kube": fenced,
            "clock": process.clock,
            "metrics": process.metrics,
            "limits": limits,
        }
        instances = Controller[EventStreamsInstance, InstanceStatus](
            INSTANCES, EventStreamsInstance.model_validate, **tools
        )
        self.context = Context(
            settings=settings,
            kube=fenced,
            clock=process.clock,
            entropy=secrets.token_bytes,
            metrics=process.metrics,
            kafkas=kafkas,
            instances=instances,
            topics=Controller[Topic, TopicStatus](TOPICS, Topic.model_validate, **tools),
            service_ids=Controller[ServiceID, ServiceIDStatus](SERVICE_IDS, ServiceID.model_validate, **tools),
            owned={
                api: Reflector(
                    kube,
                    api,
                    namespaces=settings.namespaces,
                    on_change=instances.wake,
                    beat=process.heartbeats.watch(f"reflector {api.plural}", REFLECTOR_LIMIT_SECONDS),
                )
                for api in OWNED
            },
        )
        self._controllers: tuple[Controller[Any, Any], ...] = (
            self.context.instances,
            self.context.topics,
            self.context.service_ids,
        )
        self._sweeps = {controller.api: self._sweep(controller) for controller in self._controllers}

    async def run(self) -> None:
        """Work until the process is to stop; then finish in order. An error of any part ends all and is raised."""
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(self._process.lease.keep(), name="lease")]
            loops += [
                group.create_task(one.run(), name=f"reflector {api.plural}") for api, one in self.context.owned.items()
            ]
            if await _unless(self._process.stop, self._fill()):
                loops += [group.create_task(loop) for loop in self._loops()]
                await self._reconcile(group)
            for loop in loops:
                loop.cancel()

    async def _fill(self) -> None:
        """Complete the stores: rooms rely on seeing all objects of a kind from their first reconcile on."""
        for sweep in self._sweeps.values():
            while True:
                try:
                    await sweep.fill()
                    break
                except NotYetError as error:
                    logger.warning("Waiting for the Kubernetes API", extra={"error": error.message})
                    await asyncio.sleep(START_RETRY_SECONDS)
        for reflector in self.context.owned.values():
            await reflector.synced.wait()

    async def _reconcile(self, group: asyncio.TaskGroup) -> None:
        """Work on objects and watch for changes until the process is to stop, then finish what is in work."""
        keyrings = Keyrings(self.context)
        instance_handlers.wire(self.context)
        workers = [
            group.create_task(self.context.instances.run(InstanceReconciler(self.context, keyrings)), name="instances"),
            group.create_task(self._after_instances(self.context.topics, TopicReconciler(self.context)), name="topics"),
            group.create_task(
                self._after_instances(self.context.service_ids, ServiceIDReconciler(self.context, keyrings)),
                name="service ids",
            ),
        ]
        started, stop_watching = asyncio.Event(), asyncio.Event()
        watching = group.create_task(
            kopf_setup.watch(self.context, self._kube, started=started, stop=stop_watching), name="kopf"
        )
        watching.add_done_callback(lambda _: self._process.stop.set())  # a signal that Kopf caught before `arm`
        await started.wait()
        self._process.arm()
        counts = {controller.api.plural: len(controller.store) for controller in self._controllers}
        logger.info("Working", extra=counts)
        await self._process.stop.wait()
        logger.info("Stopping")
        await self._finish(workers)
        stop_watching.set()
        await asyncio.wait({watching})

    async def _after_instances(self, controller: Controller[T, S], reconciler: Reconciler[T, S]) -> None:
        """Run a controller once every instance was looked at: before, no Kafka is connected, and all would be unready.

        An instance whose Kafka does not answer holds the others up for one timeout, and only at the start.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._process.settings.kafka_timeout_seconds):
                await self.context.instances.caught_up()
        await controller.run(reconciler)

    async def _finish(self, workers: list[asyncio.Task[None]]) -> None:
        for controller in self._controllers:
            controller.queue.close()
        _, late = await asyncio.wait(workers, timeout=self._process.settings.shutdown_seconds)
        for task in late:
            logger.warning(
                "Broke off what was in work; it is resumed by the next holder", extra={"kind": task.get_name()}
            )
            task.cancel()

    def _sweep(self, controller: Controller[Any, Any]) -> Sweep:
        settings = self._process.settings
        return Sweep(
            self._kube,
            controller,
            self._process.metrics,
            namespaces=settings.namespaces,
            watch_beat=self._process.heartbeats.watch(f"watch {controller.api.plural}", 5 * settings.resync_seconds),
        )

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        settings, process = self._process.settings, self._process
        loops = [
            periodically(
                f"sweep {api.plural}",
                sweep.run,
                seconds=settings.resync_seconds,
                beat=process.heartbeats.watch(f"sweep {api.plural}", 5 * settings.resync_seconds),
                done=partial(_count_sweep, process.metrics, api.kind),
            )
            for api, sweep in self._sweeps.items()
        ]
        kafka = periodically(
            "sweep of Kafka", partial(topic_sweep.sweep, self.context), seconds=settings.resync_seconds
        )
        return [*loops, kafka]


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work` and return True, or break it off when `stop` is set and return False."""
    async with asyncio.TaskGroup() as group:
        working, stopping = group.create_task(work), group.create_task(stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        is_done = working.done()
        working.cancel()
        stopping.cancel()
    return is_done


def _terms(settings: OperatorSettings) -> Terms:
    return Terms(
        namespace=settings.namespace,
        name=settings.lease_name,
        # a pod's container that restarts takes its own Lease back at once; elsewhere a host may run two processes
        holder=settings.pod_name or f"{socket.gethostname()}-{secrets.token_hex(4)}",
        duration_seconds=settings.lease_duration_seconds,
        renew_deadline_seconds=settings.lease_renew_deadline_seconds,
        retry_seconds=settings.lease_retry_seconds,
    )


def _record(metrics: Metrics, call: AdminCall) -> None:
    """Count one call to Kafka's admin API; called in a thread of its client."""
    metrics.admin_calls.labels(call.call, "ok" if call.is_ok else "error").inc()
    metrics.admin_seconds.labels(call.call).observe(call.seconds)
    metrics.admin_batch.labels(call.call).observe(call.items)


def _count_sweep(metrics: Metrics, kind: str, result: str) -> None:
    metrics.sweeps.labels(kind, result).inc()
