"""The version of this distribution."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("eventstreams-operator")
    except PackageNotFoundError:  # run from a work tree
        return "0.0.0+tree"


VERSION: Final = _installed()
