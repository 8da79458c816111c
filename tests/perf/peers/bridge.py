"""What both peers share: the key's right to a topic, the way to Kafka and back, the answer.

The same producer as ours (idempotent, acks=all, linger 0.5 ms) and the same bridge: a thread polls, the reports of one
poll wake the event loop once. What differs is the server, and a future per request.
"""

import asyncio
import hashlib
import json
import os
import threading
from collections import deque
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

KAFKA_FILE: Final = "BENCH_KAFKA"
KEYRING_FILE: Final = "BENCH_KEYRING"
CONTENT_TYPE: Final = "application/json"

_PREFIX: Final = "/topics/"
_SUFFIX: Final = "/records"
_POLL_SECONDS: Final = 0.5


class Rights:
    """Digests of API keys to the topics that they may produce to."""

    def __init__(self) -> None:
        keys = json.loads(Path(os.environ[KEYRING_FILE]).read_text())["keys"]
        self._topics = {key["sha256"]: frozenset(key["topics"]) for key in keys}

    def judge(self, path: str, authorization: bytes) -> tuple[int, str]:
        """Return the status that the head deserves (200: go on) and the topic that it names."""
        if not (path.startswith(_PREFIX) and path.endswith(_SUFFIX)):
            return 404, ""
        topic = path[len(_PREFIX) : -len(_SUFFIX)]
        scheme, _, key = authorization.partition(b" ")
        topics = self._topics.get(hashlib.sha256(key).hexdigest())
        if scheme.lower() != b"bearer" or topics is None:
            return 401, topic
        return (200 if topic in topics else 403), topic


class Bridge:
    """Records to Kafka; each answer is a future of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._producer = Producer(json.loads(Path(os.environ[KAFKA_FILE]).read_text()))
        self._reports: deque[tuple[asyncio.Future[Message], KafkaError | None, Message]] = deque()
        self._second = -1
        self._stamp = ""
        threading.Thread(target=self._poll, daemon=True).start()

    def send(self, topic: str, value: bytes) -> "asyncio.Future[Message]":
        """Queue a record; the future ends when Kafka has it."""
        future: asyncio.Future[Message] = self._loop.create_future()
        self._producer.produce(topic, value, on_delivery=partial(self._report, future))
        return future

    def answer(self, message: Message) -> bytes:
        """Return the body of the 200, its date formatted once a second."""
        second, millis = divmod(message.timestamp()[1], 1000)
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return (
            f'{{"metadata": {{"topic": "{message.topic()}", "timestamp": "{self._stamp}.{millis:03d}Z", '
            f'"partition": {message.partition()}, "offset": {message.offset()}}}}}'
        ).encode()

    def _poll(self) -> None:
        while True:
            self._producer.poll(_POLL_SECONDS)
            if self._reports:
                self._loop.call_soon_threadsafe(self._settle)

    def _report(self, future: "asyncio.Future[Message]", error: KafkaError | None, message: Message) -> None:
        self._reports.append((future, error, message))

    def _settle(self) -> None:
        while self._reports:
            future, error, message = self._reports.popleft()
            if future.done():  # cancelled with its connection
                continue
            if error is None:
                future.set_result(message)
            else:
                future.set_exception(RuntimeError(error.str()))
