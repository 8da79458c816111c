"""eventstreams-operator: keeps EventStreamsInstances, Topics and ServiceIDs as declared.

Start: settings, logs, health endpoint, API client; then standby until the Lease is ours; then every object into the
stores, and only then workers and watches. Stop (SIGTERM, SIGINT): take no further object, finish those in work, stop
the watches and loops, close Kafka, give the Lease back, exit 0. A lost Lease ends the process at once, with code 3.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import uvloop
from prometheus_client import disable_created_metrics

from eventstreams.core import logs
from eventstreams.core.errors import EventStreamsError
from eventstreams.core.settings import SettingsError, read, table
from eventstreams.main.operation import StartError, operate
from eventstreams.runtime import kopf_setup
from eventstreams.runtime.settings import OperatorSettings

logger = logging.getLogger("eventstreams.operator")

EXIT_ERROR: Final = 1
EXIT_SETTINGS: Final = 2

DESCRIPTION: Final = """\
Keeps EventStreamsInstances, Topics and ServiceIDs as declared. Runs in a pod with its ServiceAccount, or outside a
cluster with a kubeconfig (KUBECONFIG, else ~/.kube/config). One replica at a time acts, the others stand by.

  kubectl apply -f crds/                                            # once: the kinds
  EVENTSTREAMS_LOG_FORMAT=text EVENTSTREAMS_NAMESPACE=default eventstreams-operator

Health and metrics are on EVENTSTREAMS_HEALTH_PORT: /healthz, /readyz, /metrics.
Exit codes: 0 stopped by a signal, 1 error, 2 bad settings, 3 the Lease was lost."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator until a signal stops it, and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="eventstreams-operator",
        description=DESCRIPTION,
        epilog=table(OperatorSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    return start(os.environ)


def start(environment: Mapping[str, str]) -> int:
    """Read the settings, run, and return the exit code."""
    try:
        settings = read(OperatorSettings, environment)
    except SettingsError as error:
        sys.stderr.write(f"eventstreams-operator: {error}\nSee eventstreams-operator --help for all settings.\n")
        return EXIT_SETTINGS
    logs.configure(settings.log_format, settings.log_level)
    kopf_setup.quieten()
    disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter has a second series, unread
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signalled(settings))
    except Exception as error:  # noqa: BLE001  # the outermost place
        _report(error)
        return EXIT_ERROR
    return 0


def _report(error: Exception) -> None:
    """Log what ended the process: what a person can cure in words, our own errors with their traceback."""
    for cause in _causes(error):
        if isinstance(cause, StartError | EventStreamsError):
            logger.error("Cannot run", extra={"error": str(cause)})
        else:
            logger.error("Ended by an error of its own", exc_info=cause)


def _causes(error: Exception) -> list[Exception]:
    """Return the errors in a group of groups of errors."""
    if isinstance(error, ExceptionGroup):
        return [cause for inner in error.exceptions for cause in _causes(inner)]
    return [error]


async def _until_signalled(settings: OperatorSettings) -> None:
    stop = asyncio.Event()

    def arm() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

    arm()
    await operate(settings, stop, arm=arm)


if __name__ == "__main__":
    sys.exit(main())
