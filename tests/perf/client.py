"""The other floor: librdkafka from Python without any HTTP, as fast as it goes with 5 000 records in flight.

    python -m perf.client LINGER_MS SECONDS < settings.json

Prints {"records", "seconds", "cpu_seconds"}.
"""

import json
import sys
import time
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from perf.brokers import TOPIC

IN_FLIGHT: Final = 5000
BODY: Final = b"x" * 100
_WARM_SECONDS: Final = 0.5


class Client:
    """One producer and the count of what it was told."""

    def __init__(self, settings: dict[str, str | int | float | bool]) -> None:
        self._producer = Producer(settings)
        self._stored = self._in_flight = 0

    def run(self, seconds: float) -> int:
        """Produce for some seconds, and return how many records Kafka confirmed in them."""
        before, end = self._stored, time.monotonic() + seconds
        while time.monotonic() < end:
            while self._in_flight < IN_FLIGHT:
                self._producer.produce(TOPIC, BODY, on_delivery=self._report)
                self._in_flight += 1
            self._producer.poll(0.01)
        return self._stored - before

    def _report(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            raise RuntimeError(error.str())
        self._in_flight -= 1
        self._stored += 1


def _main() -> None:
    linger_ms, seconds = float(sys.argv[1]), float(sys.argv[2])
    client = Client({**json.load(sys.stdin), "linger.ms": linger_ms})
    client.run(_WARM_SECONDS)
    cpu, begin = time.process_time(), time.monotonic()
    records = client.run(seconds)
    found = {"records": records, "seconds": time.monotonic() - begin, "cpu_seconds": time.process_time() - cpu}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    _main()
