"""A controller of Topics on a real API server, without Kopf: tests tell it what there is to see."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from eventstreams.api.topic import Topic, TopicStatus
from eventstreams.core.clock import SystemClock
from eventstreams.kube.apis import TOPICS
from eventstreams.kube.client import Kube
from eventstreams.runtime.controller import Controller, Limits
from eventstreams.runtime.metrics import Metrics
from eventstreams.runtime.queue import Backoff
from integration.runtime.topics import Scripted

TopicController = Controller[Topic, TopicStatus]
Running = Callable[[Scripted], AbstractAsyncContextManager[None]]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def controller(kube: Kube, metrics: Metrics) -> TopicController:
    limits = Limits(workers=4, reconcile_seconds=1, backoff=Backoff(0.05, 0.2))
    return Controller(TOPICS, Topic.model_validate, kube=kube, clock=SystemClock(), metrics=metrics, limits=limits)


@pytest.fixture
def running(controller: TopicController) -> Running:
    """Return a block in which the controller works with a reconciler; it finishes what is in work at the end."""

    @asynccontextmanager
    async def block(reconciler: Scripted) -> AsyncIterator[None]:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(controller.run(reconciler))
            yield
            controller.queue.close()

    return block
