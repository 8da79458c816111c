"""eventstreams-producer: takes records over HTTPS and stores them in Kafka.

Exit codes: 0 stopped by a signal, 1 error, 2 bad settings.
"""

import argparse
import asyncio
import contextlib
import ctypes
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import uvloop

from eventstreams.core import logs
from eventstreams.core.settings import SettingsError, read, table, variable
from eventstreams.producer.server import StartError, serve
from eventstreams.producer.settings import ProducerSettings

logger = logging.getLogger("eventstreams.producer")

EXIT_ERROR: Final = 1
EXIT_SETTINGS: Final = 2

_M_TRIM_THRESHOLD: Final = (-1, 16 * 1024 * 1024)
_M_MMAP_THRESHOLD: Final = (-3, 1024 * 1024)

DESCRIPTION: Final = """\
Takes records over HTTPS and stores them in Kafka: POST /topics/<topic>/records. In a pod it learns the API keys from
its instance's keyring, 16 ConfigMaps that the operator writes. Without Kubernetes it reads them from a file:

  export EVENTSTREAMS_BOOTSTRAP_SERVERS=localhost:9092 EVENTSTREAMS_KAFKA_SECURITY_PROTOCOL=PLAINTEXT
  EVENTSTREAMS_TLS_DIR=certs eventstreams-producer --keyring keyring.json
  curl -X POST -H "Authorization: Bearer <api_key>" -H "Content-Type: text/plain" -H "Accept: application/json" \\
       -d 'test message' --cacert es-cert.pem "https://localhost:9443/topics/<topic_name>/records"

/alive and /ready are on the API's port, /metrics on EVENTSTREAMS_METRICS_PORT.
Exit codes: 0 stopped by a signal, 1 error, 2 bad settings."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the REST producer until a signal stops it, and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="eventstreams-producer",
        description=DESCRIPTION,
        epilog=table(ProducerSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--keyring", metavar="FILE", help="keyring file; wins over EVENTSTREAMS_KEYRING_FILE")
    options = parser.parse_args(arguments)
    environment = dict(os.environ)
    if options.keyring is not None:
        environment[variable("keyring_file")] = options.keyring
    return start(environment)


def start(environment: Mapping[str, str]) -> int:
    """Read the settings, run, and return the exit code."""
    try:
        settings = read(ProducerSettings, environment)
    except SettingsError as error:
        sys.stderr.write(f"eventstreams-producer: {error}\nSee eventstreams-producer --help for all settings.\n")
        return EXIT_SETTINGS
    logs.configure(settings.log_format, settings.log_level)
    keep_heap()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except StartError as error:
        logger.error("Cannot run", extra={"error": str(error)})  # noqa: TRY400  a person cures it, not its traceback
        return EXIT_ERROR
    except Exception:  # the outermost place
        logger.exception("Ended by an error of its own")
        return EXIT_ERROR
    return 0


def keep_heap() -> None:
    """Let the C library keep what a burst of records took, up to 16 MiB of each heap, for the next one (mallopt(3)).

    glibc gives the end of a heap back as soon as little of it is free: of records of 64 KiB each request then had its
    pages made anew, a fifth of its CPU. Other C libraries have no such call.
    """
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(*_M_TRIM_THRESHOLD)
        mallopt(*_M_MMAP_THRESHOLD)


if __name__ == "__main__":
    sys.exit(main())
