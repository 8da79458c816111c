"""The two Kafkas that are produced to, both on the load's core.

`answering` is librdkafka's mock cluster: it does nothing but answer, so what is measured is the server before it. It
runs before the load, as on a machine of its own: else what is measured is how long it waits for the load generator.
`kafka` is a real broker, reached as a REST producer reaches it in a pod: SASL_SSL with SCRAM-SHA-512.
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from local.kafka import ClientSettings, LocalKafka
from perf.program import LOAD_CORE, Program, python, run_first

TOPIC: Final = "bench"
PARTITIONS: Final = 4  # what the mock gives a topic
_MOCK_BROKERS: Final = 3
_LONGEST_SECONDS: Final = 7200.0

# Compiled as far as it goes, and nothing that costs memory or waits: the broker should not be what is measured.
_JAVA: Final = ("-Xms512m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:-UsePerfData")
_PROPERTIES: Final = {  # what a run leaves in memory stays bounded
    "log.retention.bytes": str(64 * 2**20),
    "log.retention.check.interval.ms": "1000",
    "log.segment.delete.delay.ms": "0",
}


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka with the topic `bench`, and librdkafka's settings of the connection to it."""

    name: str
    settings: ClientSettings


@contextmanager
def answering(directory: Path) -> Iterator[Broker]:
    """Run the mock cluster in a process of its own."""
    with Program("mock", python("perf.brokers"), core=LOAD_CORE, directory=directory) as mock:
        mock.wait_until(lambda: mock.log.endswith("\n"), "its addresses")
        addresses = json.loads(mock.log.partition("\n")[0])
        yield Broker("answering", {"bootstrap.servers": addresses, "security.protocol": "PLAINTEXT"})


@contextmanager
def kafka() -> Iterator[Broker]:
    """Run a real broker, its data on tmpfs; it inherits this process's core."""
    with LocalKafka(java_options=_JAVA, is_quick=False, properties=_PROPERTIES) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_internal})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(20)
        yield Broker("kafka", broker.sasl_settings())


def _mock() -> None:
    """Be the mock cluster until ended."""
    run_first()
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": _MOCK_BROKERS, "log_level": 0})
    producer.list_topics(TOPIC, timeout=10)  # which makes it
    brokers = producer.list_topics(timeout=10).brokers.values()
    sys.stdout.write(json.dumps(",".join(f"{broker.host}:{broker.port}" for broker in brokers)) + "\n")
    sys.stdout.flush()
    threading.Event().wait(_LONGEST_SECONDS)


if __name__ == "__main__":
    _mock()
