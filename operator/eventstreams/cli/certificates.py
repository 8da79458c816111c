"""`kubectl es certificates`: the CA certificates that a client needs, as a file."""

import base64
from enum import Enum
from pathlib import Path
from typing import Any

from eventstreams.cli.failures import FailedError
from eventstreams.cli.session import Session


class Format(Enum):
    """The forms that clients read."""

    PEM = "pem"
    P12 = "p12"


async def bundle(session: Session, form: Format) -> bytes:
    """Return the CA certificates of the instance, every one to trust, in one file of the form asked for.

    Raises FailedError while the instance has none.
    """
    from eventstreams.kube.apis import CONFIG_MAPS

    choice, instance = await session.instance()
    announced = instance.status.ca_bundle
    config_map: dict[str, Any] = {}
    if announced is not None:
        config_map = await (await session.kube()).get(CONFIG_MAPS, choice.namespace, announced.config_map) or {}
    content = _content(config_map, form)
    if not content:
        raise FailedError(
            f"instance {choice.instance} has no certificates yet",
            f"wait for it: kubectl -n {choice.namespace} wait --for=condition=Ready esi/{choice.instance}",
        )
    return content


def _content(config_map: dict[str, Any], form: Format) -> bytes:
    if form is Format.PEM:
        return str((config_map.get("data") or {}).get("ca.crt", "")).encode()
    return base64.b64decode((config_map.get("binaryData") or {}).get("truststore.p12", ""))


def write(directory: Path, form: Format, content: bytes) -> Path:
    """Write `es-cert.pem` or `es-cert.p12` into a directory and return its path. Raises FailedError when it cannot."""
    file = directory / f"es-cert.{form.value}"
    try:
        file.write_bytes(content)
    except OSError as error:
        raise FailedError(f"{file} cannot be written: {error.strerror}", "name another directory with --out") from error
    return file
