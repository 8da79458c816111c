"""Kubernetes quantities as numbers, so that `1Gi` and `1024Mi` are known to be the same. Pure."""

import re
from decimal import Decimal
from typing import Final

_FORM: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?")
_SUFFIXES: Final = {
    **{
        letter: Decimal(10) ** power
        for letter, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
    },
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


def number_of(quantity: object) -> Decimal | None:
    """Return the number that a quantity stands for, or None for what is no quantity."""
    match = _FORM.fullmatch(str(quantity)) if isinstance(quantity, int | str) else None
    if match is None:
        return None
    digits, suffix = match.groups()
    if suffix is None or suffix in _SUFFIXES:
        return Decimal(digits) * _SUFFIXES.get(suffix or "", Decimal(1))
    return Decimal(digits + suffix)
