"""Renders docs/performance.md from results: nothing in it is typed by hand."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from statistics import median
from string import Template
from typing import Final

from perf.client import IN_FLIGHT
from perf.fairness import FLOODS, FURTHER_ROUNDS, QUIET_RATE, SERVERS, beside, fairness_bars, prolonged
from perf.results import Cell, Results, Revocations, count, disturbed
from perf.servers import OURS, PEERS
from perf.sharing import SHARES, shared
from perf.tables import (
    BODY_BYTES,
    CONNECTIONS,
    CROWD,
    FEATURES,
    FLOORS,
    LINGERS_MS,
    NO_KAFKA,
    TIMES,
    Series,
    bars,
    revocation_bars,
)

NAMES: Final = {OURS: "**ours**", "granian": "Granian, RSGI", "uvicorn": "uvicorn, ASGI"}
_SCHEMES: Final = ("http", "https")
_HEAD: Final = ("server", "requests/s", "±", "slowed", "p50 ms", "p99 ms", "CPU µs", "RSS MB", "ours is")

_FAIRNESS_HEAD: Final = (
    "server",
    "the flood",
    "slowed",
    "quiet p50 ms",
    "quiet p99 ms",
    "p99 is",
    "in single rounds",
    "answers/s to the flood",
)

_SHARING_HEAD: Final = ("server", "keys", "connections each", "requests/s", "p50 ms", "p99 ms", "CPU µs", "rate is")

RowsOf = Callable[[Results, str, str], Iterator[tuple[str, ...]]]
"""Gives the rows of a server and a scheme."""

_PAGE: Final = Path(__file__).with_name("page.md")


def page(results: Results, revocations: Revocations | None = None) -> str:
    """Return the whole page."""
    machine, load, settings = results.machine, results.load, results.settings
    figures = {name: ", ".join(map(str, load.get(name, ["unknown"]))) for name in ("before", "after")}
    return Template(_PAGE.read_text()).substitute(
        bars=_bars(results, revocations),
        behind=_behind(results),
        body=BODY_BYTES,
        at=CONNECTIONS,
        connections=_by_load(results, Series.CONNECTIONS, "connections"),
        sizes=_by_load(results, Series.SIZES, "bytes"),
        kafka=results.versions["kafka"],
        real=_by_load(results, Series.KAFKA, "connections"),
        crowd=_crowd(results),
        quiet_rate=QUIET_RATE,
        flood_rounds=settings["pace"]["rounds"] + FURTHER_ROUNDS,
        fairness=_by_scheme(_FAIRNESS_HEAD, results, _beside_floods),
        sharing=_by_scheme(_SHARING_HEAD, results, _shared),
        floors=_floors(results),
        in_flight=count(IN_FLIGHT),
        client=_client(results),
        memory=_memory(results),
        revocations=_revocations(revocations),
        **machine,
        load_before=figures["before"],
        load_after=figures["after"],
        versions=", ".join(f"{name} {version}" for name, version in results.versions.items()),
        rounds=settings["pace"]["rounds"],
        seconds=settings["pace"]["seconds"],
        lost_limit=f"{settings['lost_limit']:.0%}",
        slowed_limit=f"{settings['slowed_limit']:.0%}",
        attempts=settings["attempts"],
        repeats=settings["repeats"],
        judged_attempts=settings["pace"]["attempts"],
        disturbance=_disturbance(results),
        date=results.date,
        anew="".join(f" The series `{series}` was measured anew on {when}." for series, when in results.anew.items()),
    )


def summary(results: Results) -> str:
    """Return what a terminal is shown: the tables beside the peers, and the bars."""
    parts = [
        _by_load(results, Series.CONNECTIONS, "connections"),
        _by_load(results, Series.SIZES, "bytes"),
        f"Real Kafka\n\n{_by_load(results, Series.KAFKA, 'connections')}",
        _bars(results, None),
        _disturbance(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _bars(results: Results, revocations: Revocations | None) -> str:
    found = [*bars(results), *fairness_bars(results), *(revocation_bars(revocations) if revocations else ())]
    rows = [(bar.name, bar.limit, bar.measured, bar.verdict) for bar in found]
    return _table(("what", "asked", "measured (single rounds)", ""), rows)


def _behind(results: Results) -> str:
    """Return under which loads of the first tables a peer gets more requests a second than ours."""
    varied = {Series.CONNECTIONS: "{0} connections", Series.SIZES: "{1} bytes"}
    loads = sorted({(run.series, run.scheme, run.connections, run.body_bytes) for run in results.runs})
    found = []
    for series, scheme, *load in loads:
        cells = {name: results.cell(series, name, scheme, *load) for name in (OURS, *PEERS)}
        ours = cells.pop(OURS)
        for name, cell in cells.items():
            if series in varied and ours is not None and cell is not None and cell.rate > ours.rate:
                label = varied[Series(series)].format(*load)
                found.append(f"{scheme.upper()} and {label} ({ours.rate / cell.rate:.2f}{TIMES} {NAMES[name]})")
    return f"Behind a peer with {'; '.join(found)}." if found else "Behind no peer with any load of the tables below."


def _by_load(results: Results, series: Series, varied: str) -> str:
    """Return one table for each scheme: for every load the servers, and the ratio of ours to each peer."""
    tables = []
    for scheme in _SCHEMES:
        runs = [run for run in results.runs if run.series == series and run.scheme == scheme]
        loads = sorted({(run.connections, run.body_bytes) for run in runs})
        rows = []
        for connections, size in loads:
            label = str(connections if varied == "connections" else size)
            for server in (OURS, *PEERS):
                cell, ours = (results.cell(series, one, scheme, connections, size) for one in (server, OURS))
                if cell is not None and ours is not None:
                    ratio = "" if server == OURS else f"{ours.rate / cell.rate:.2f}{TIMES}"
                    rows.append((label, NAMES[server], *_figures(cell), ratio))
                    label = ""
        if rows:
            tables.append(f"{scheme.upper()}:\n\n{_table((varied, *_HEAD), rows)}")
    return "\n\n".join(tables)


def _figures(cell: Cell) -> tuple[str, ...]:
    certainty = f"{cell.spread:.0%}", f"{cell.slowed:.0%}"
    latencies = f"{cell.p50_ms:.2f}", f"{cell.p99_ms:.2f}"
    return count(cell.rate), *certainty, *latencies, f"{cell.cpu_us:.1f}", f"{cell.resident_mb:.0f}"


def _by_scheme(head: Sequence[str], results: Results, rows_of: RowsOf) -> str:
    """Return one table for each scheme, with the rows of each server that was measured with several keys."""
    tables = []
    for scheme in _SCHEMES:
        rows = [row for server in SERVERS for row in rows_of(results, server, scheme)]
        if rows:
            tables.append(f"{scheme.upper()}:\n\n{_table(head, rows)}")
    return "\n\n".join(tables) or "Not measured yet."


def _beside_floods(results: Results, server: str, scheme: str) -> Iterator[tuple[str, ...]]:
    """Return how the quiet client fares, alone and beside each flood."""
    name = NAMES[server]
    for flood in FLOODS:
        cell = results.cell(Series.FAIRNESS, beside(server, flood), scheme, 1, BODY_BYTES)
        if cell is None:
            continue
        quiet = (name, flood.name, f"{cell.slowed:.0%}", f"{cell.p50_ms:.2f}", f"{cell.p99_ms:.2f}")
        if ratios := prolonged(results, server, flood, scheme):
            single = f"{min(ratios):.2f} to {max(ratios):.2f}"
            yield (*quiet, f"{median(ratios):.2f}{TIMES}", single, count(cell.rate))
        else:
            yield (*quiet, "", "", "")
        name = ""


def _shared(results: Results, server: str, scheme: str) -> Iterator[tuple[str, ...]]:
    """Return what the same connections get with one key, and with several."""
    name, alone = NAMES[server], 0.0
    for share in SHARES:
        connections = share.owners * share.connections
        cell = results.cell(Series.SHARING, shared(server, share), scheme, connections, BODY_BYTES)
        if cell is None:
            continue
        alone = alone or cell.rate
        figures = count(cell.rate), f"{cell.p50_ms:.2f}", f"{cell.p99_ms:.2f}", f"{cell.cpu_us:.1f}"
        ratio = "" if share == SHARES[0] else f"{cell.rate / alone:.2f}{TIMES}"
        yield name, str(share.owners), str(share.connections), *figures, ratio
        name = ""


def _crowd(results: Results) -> str:
    counts = sorted({run.connections for run in results.runs if run.series == Series.CROWD})
    rows = []
    for server, name in CROWD.items():
        cells = [results.cell(Series.CROWD, server, "https", number, BODY_BYTES) for number in counts]
        rows.append((name, *(f"{count(cell.rate)}, {cell.p50_ms:.2f} ms" if cell else "" for cell in cells)))
    return _table(("wait", *(f"{number} connections" for number in counts)), rows) if counts else ""


def _floors(results: Results) -> str:
    rows = []
    names = {OURS: "ours, with Kafka's mock", NO_KAFKA: "ours without Kafka", **FEATURES}
    for server in FLOORS:
        cells = [results.cell(Series.FLOORS, server, scheme, CONNECTIONS, BODY_BYTES) for scheme in _SCHEMES]
        rows.append((names[server], *(text for cell in cells for text in _rate_and_cpu(cell))))
    return _table(("", "HTTP requests/s", "CPU µs", "HTTPS requests/s", "CPU µs"), rows)


def _rate_and_cpu(cell: Cell | None) -> tuple[str, str]:
    return (count(cell.rate), f"{cell.cpu_us:.1f}") if cell else ("", "")


def _client(results: Results) -> str:
    rows = []
    for linger_ms in LINGERS_MS:
        cell = results.cell(Series.CLIENT, f"linger {linger_ms}", "", IN_FLIGHT, BODY_BYTES)
        rows.append((f"{linger_ms} ms", *_rate_and_cpu(cell)))
    return _table(("linger", "records/s", "CPU µs"), rows)


def _memory(results: Results) -> str:
    rows = [(found.situation, f"{found.resident_mb:.0f}") for found in results.memory]
    soak = results.soak
    if soak and soak.samples:
        megabytes = [sample[1] for sample in soak.samples]
        third = max(1, len(megabytes) // 3)
        load = f"under load ({soak.connections} connections, {soak.scheme.upper()})"
        rows.append(
            (f"{load}, median of the first third of {soak.samples[-1][0]:.0f} s", f"{median(megabytes[:third]):.0f}")
        )
        rows.append(
            (
                f"{load}, median of the last third, {count(soak.requests)} requests later",
                f"{median(megabytes[-third:]):.0f}",
            )
        )
    return _table(("one process", "RSS MB"), rows)


def _revocations(found: Revocations | None) -> str:
    if found is None:
        return "Not measured yet."
    shares = (0.5, 0.99, 1.0)
    rows = [
        (each.situation, count(len(each.seconds)), *(f"{each.within(share) * 1000:.0f}" for share in shares))
        for each in found.revoked
    ]
    load = ", ".join(map(str, found.load))
    table = _table(("", "revoked", "p50 ms", "p99 ms", "longest ms"), rows)
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return f"{count(found.keys)} keys; {versions}; measured on {found.date}, load average before: {load}.\n\n{table}"


def _disturbance(results: Results) -> str:
    kept = [run for run in results.runs if run.is_kept]
    worst = disturbed(results.runs)
    if not kept:
        return ""
    lost, slowed = (median(map(figure, kept)) for figure in (attrgetter("lost"), attrgetter("slowed")))
    said = f"Median over all runs that count: {lost:.1%} taken, {slowed:.0%} slower"
    again = len(results.runs) - len(kept)
    return f"{said}; {len(worst)} of {len(kept)} are above a limit, after {again} more that were dropped."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with its columns in line."""
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(_lines(table, widths))


def _lines(table: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    for number, row in enumerate(table):
        yield f"| {' | '.join(text.ljust(width) for text, width in zip(row, widths, strict=True))} |"
        if number == 0:
            yield f"|{'|'.join('-' * (width + 2) for width in widths)}|"
