"""What a benchmark found, as it stands in its JSON file: every run, and what it ran on."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, Self

LOST_LIMIT: Final = 0.08
"""Share of the machine's CPU time that host and strangers may take during a run; above it, it is repeated."""

SLOWED_LIMIT: Final = 0.25
"""The same for how much longer the server's core took for the same work than undisturbed."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one server. `is_kept` False: it was disturbed, and another took its place."""

    series: str
    server: str
    scheme: str
    connections: int
    body_bytes: int
    round: int
    is_kept: bool
    requests: int
    rate: float
    """Answered requests a second; records a second for a client without HTTP."""
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU time of the server's process tree for each request."""
    resident_mb: float
    steal: float
    foreign: float
    slowed: float = 0.0
    """How much longer the server's core took for the same work meanwhile than undisturbed, as a share of that."""
    refused: int = 0
    broken: int = 0

    @property
    def lost(self) -> float:
        return self.steal + self.foreign

    @property
    def is_disturbed(self) -> bool:
        return self.lost > LOST_LIMIT or self.slowed > SLOWED_LIMIT

    @property
    def disturbance(self) -> float:
        return self.lost + self.slowed


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in a situation, in MB (10^6 bytes)."""

    situation: str
    resident_mb: float


@dataclass(frozen=True, slots=True)
class Soak:
    """Resident memory under full load: (seconds since its begin, MB) samples."""

    scheme: str
    connections: int
    requests: int
    refused: int
    samples: tuple[tuple[float, float], ...]


@dataclass(slots=True)
class Results:
    """All of one benchmark. `settings` says how it was run, `load` how busy the machine was before and after."""

    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    load: dict[str, list[float]]
    runs: list[Run] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    soak: Soak | None = None
    anew: dict[str, str] = field(default_factory=dict)
    """Date and load of the series that were measured anew alone, since."""

    @classmethod
    def read(cls, path: Path) -> Self:
        raw = json.loads(path.read_text())
        runs, memory = [Run(**each) for each in raw.pop("runs")], [Memory(**each) for each in raw.pop("memory")]
        soak = raw.pop("soak")
        if soak is not None:
            soak = Soak(**{**soak, "samples": tuple(tuple(sample) for sample in soak["samples"])})
        return cls(**raw, runs=runs, memory=memory, soak=soak)

    def write(self, path: Path) -> None:
        """Write it, a run a line, so that a change of one shows as one."""
        whole = asdict(self)
        lines = {name: [json.dumps(each) for each in whole.pop(name)] for name in ("runs", "memory")}
        text = ",\n".join(f' "{name}": {json.dumps(part)}' for name, part in whole.items())
        for name, each in lines.items():
            text += f',\n "{name}": [\n  ' + ",\n  ".join(each) + "\n ]"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{\n" + text + "\n}\n")

    def cell(self, series: str, server: str, scheme: str, connections: int = 0, body_bytes: int = 0) -> "Cell | None":
        """Return what was found for one row of a table, None when it was not measured."""
        wanted = (series, server, scheme, connections, body_bytes)
        runs = [
            run
            for run in self.runs
            if run.is_kept and (run.series, run.server, run.scheme, run.connections, run.body_bytes) == wanted
        ]
        return Cell(runs) if runs else None


@dataclass(frozen=True, slots=True)
class Revoked:
    """Keys that were revoked in a situation: seconds from the begin of each write to the first refusal."""

    situation: str
    seconds: tuple[float, ...]

    def within(self, share: float) -> float:
        """Return the seconds that `share` of them did not exceed."""
        return sorted(self.seconds)[math.ceil(share * len(self.seconds)) - 1]


@dataclass(frozen=True, slots=True)
class Revocations:
    """What the benchmark of revocations found, as it stands in its own JSON file."""

    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    load: list[float]
    keys: int
    revoked: tuple[Revoked, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        raw = json.loads(path.read_text())
        revoked = tuple(Revoked(each["situation"], tuple(each["seconds"])) for each in raw.pop("revoked"))
        return cls(**raw, revoked=revoked)

    def write(self, path: Path) -> None:
        """Write it, a situation a line."""
        whole = asdict(self)
        lines = ",\n  ".join(json.dumps(each) for each in whole.pop("revoked"))
        parts = [f' "{name}": {json.dumps(part)}' for name, part in whole.items()]
        path.write_text("{\n" + ",\n".join([*parts, f' "revoked": [\n  {lines}\n ]']) + "\n}\n")


class Cell:
    """The rounds of one server under one load; a figure of it is their median."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs

    def beside(self, other: "Cell", figure: Callable[[Run], float]) -> tuple[float, ...]:
        """Return how a figure stands to that of the other in each round that both have."""
        others = {run.round: run for run in other._runs}
        return tuple(figure(run) / figure(others[run.round]) for run in self._runs if run.round in others)

    def each(self, figure: Callable[[Run], float]) -> tuple[float, ...]:
        """Return a figure of each round."""
        return tuple(map(figure, self._runs))

    def of(self, figure: Callable[[Run], float]) -> float:
        """Return the median of a figure."""
        return median(self.each(figure))

    @property
    def rate(self) -> float:
        return self.of(lambda run: run.rate)

    @property
    def p50_ms(self) -> float:
        return self.of(lambda run: run.p50_ms)

    @property
    def p99_ms(self) -> float:
        return self.of(lambda run: run.p99_ms)

    @property
    def cpu_us(self) -> float:
        return self.of(lambda run: run.cpu_us)

    @property
    def resident_mb(self) -> float:
        return self.of(lambda run: run.resident_mb)

    @property
    def slowed(self) -> float:
        return self.of(lambda run: run.slowed)

    @property
    def spread(self) -> float:
        """Half the range of the rates, as a share of their median."""
        rates = [run.rate for run in self._runs]
        return (max(rates) - min(rates)) / 2 / self.rate if self.rate else 0.0


def count(number: float) -> str:
    """Return a number as it is read best: 12 345."""
    return f"{number:,.0f}".replace(",", " ")


def disturbed(runs: Iterable[Run]) -> list[Run]:
    """Return the kept runs that were disturbed nevertheless."""
    return [run for run in runs if run.is_kept and run.is_disturbed]
