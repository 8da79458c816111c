"""What a benchmark does with its figures: no server, no load."""

import inspect
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from eventstreams.producer.delivery import Delivery
from perf.fairness import ALONE, FLOODS, beside, fairness_bars
from perf.neighbour import Neighbour
from perf.ours import NoKafka
from perf.page import page, summary
from perf.producer import PAGE, RESULTS, published
from perf.results import Memory, Results, Revocations, Revoked, Run, Soak
from perf.series import ATTEMPTS, Guard
from perf.sharing import SHARES, shared
from perf.tables import TIMES, Bar, Series, bars, revocation_bars
from perf.wrk import parse

RUN = Run(
    series=Series.CONNECTIONS,
    server="ours",
    scheme="http",
    connections=64,
    body_bytes=100,
    round=1,
    is_kept=True,
    requests=3000,
    rate=1000.0,
    p50_ms=2.0,
    p99_ms=6.0,
    cpu_us=30.0,
    resident_mb=60.0,
    steal=0.0,
    foreign=0.01,
)


def results(*runs: Run) -> Results:
    return Results(
        date="2026-01-01",
        machine={"cpu": "a CPU", "cores": 2, "memory_gib": 8, "kernel": "6.0", "system": "Linux"},
        versions={"kafka": "4.3.1"},
        settings={
            "pace": {"rounds": 3, "seconds": 3, "attempts": 8},
            "lost_limit": 0.08,
            "slowed_limit": 0.25,
            "repeats": 60,
            "attempts": 3,
        },
        load={"before": [0.1, 0.2, 0.3]},
        runs=list(runs),
    )


def test_what_wrk_says_is_read_from_its_last_line() -> None:
    reply = parse(
        "Running 3s test\n  1 threads\n"
        '{"requests": 5, "microseconds": 2500000, "p50": 300, "p99": 1200, "max": 2000, "refused": 1, "broken": 2}\n'
    )

    assert (reply.requests, reply.seconds, reply.p50_ms, reply.p99_ms) == (5, 2.5, 0.3, 1.2)
    assert (reply.refused, reply.broken) == (1, 2)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = results(RUN, replace(RUN, round=2))
    written.memory.append(Memory("at rest", 50.0))
    written.soak = Soak("https", 64, 1000, 0, ((5.0, 60.0), (10.0, 61.0)))
    written.anew = {"fairness": "2026-01-02"}

    written.write(tmp_path / "results.json")

    assert Results.read(tmp_path / "results.json") == written


def test_a_cell_is_the_median_of_the_runs_that_count() -> None:
    runs = (replace(RUN, rate=rate) for rate in (900.0, 1000.0, 1400.0))

    cell = results(*runs, replace(RUN, rate=10.0, is_kept=False)).cell("connections", "ours", "http", 64, 100)

    assert cell is not None
    assert (cell.rate, cell.spread) == (1000.0, 0.25)


@pytest.mark.parametrize(
    ("lost", "repeats", "kept"),
    [
        pytest.param([0.01], 9, 0.01, id="a quiet run counts at once"),
        pytest.param([0.5, 0.01], 9, 0.01, id="a disturbed one is repeated"),
        pytest.param([0.5, 0.2, 0.3], 9, 0.2, id="the least disturbed counts"),
        pytest.param([0.5, 0.2], 1, 0.2, id="repeats have an end"),
    ],
)
def test_a_disturbed_run_is_repeated(tmp_path: Path, lost: list[float], repeats: int, kept: float) -> None:
    left, reported = list(lost), list[Run]()

    guard = Guard(reported.append, repeats, Neighbour(tmp_path))
    guard.run(lambda: replace(RUN, foreign=left.pop(0)))

    assert left == []
    assert len(reported) == len(lost) <= ATTEMPTS
    assert [run.foreign for run in reported if run.is_kept] == [kept]


def test_a_run_beside_a_busy_neighbour_is_repeated(tmp_path: Path) -> None:
    figures, reported = tmp_path / "neighbour", list[Run]()
    guard = Guard(reported.append, 9, Neighbour(tmp_path))
    figures.write_bytes(struct.pack("ddd", 100, 0.005, 50e-6))
    timed = [(150, 0.009), (200, 0.0115), (900, 0.1)]

    def once() -> Run:
        figures.write_bytes(struct.pack("ddd", *timed.pop(0), 50e-6))
        return RUN

    guard.run(once)

    assert [(run.slowed, run.is_kept) for run in reported] == [(0.6, False), (0.0, True)]


def test_a_neighbour_is_not_noticed_where_nothing_can_be_timed(tmp_path: Path) -> None:
    neighbour = Neighbour(tmp_path)

    assert neighbour.slowed(neighbour.look()) == 0


@pytest.mark.parametrize(("disturbed", "tries"), [(0, 1), (2, 3), (9, 4)])
def test_a_run_for_a_bar_is_tried_until_it_is_undisturbed_or_often_enough(
    tmp_path: Path, disturbed: int, tries: int
) -> None:
    reported, left = list[Run](), disturbed

    def once() -> Run:
        nonlocal left
        left -= 1
        return replace(RUN, foreign=0.0 if left < 0 else 0.5)

    Guard(reported.append, 0, Neighbour(tmp_path)).judge(once, 4)

    assert len(reported) == tries


def test_a_bar_compares_within_one_series() -> None:
    peer = replace(RUN, server="granian", rate=500.0)

    found = list(bars(results(RUN, peer)))

    assert found == [
        Bar("requests a second against Granian, HTTP, 64 connections", 1.7, (2.0,), TIMES, is_least=True),
        Bar("p99 against p50, HTTP, 64 connections", 4, (3.0,), TIMES),
    ]


def test_a_bar_compares_within_each_round() -> None:
    ours = (replace(RUN, round=number, rate=rate) for number, rate in enumerate((1000.0, 2000.0, 1500.0)))
    peers = (replace(RUN, server="granian", round=number, rate=rate) for number, rate in enumerate((500, 1000, 1000)))

    bar, _ = bars(results(*ours, *peers))

    assert (bar.limit, bar.measured) == (f"≥ 1.7{TIMES}", f"2.00{TIMES} (1.50 to 2.00)")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((1.0, 1.5, 2.0), "met"),
        ((1.0, 2.0, 2.1), "met, 2 of 3 rounds met it"),
        ((1.0, 2.1, 2.1), "**missed**, 1 of 3 rounds met it"),
        ((2.1, 2.2, 2.3), "**missed**"),
    ],
)
def test_a_bar_says_when_rounds_do_not_agree(found: tuple[float, ...], verdict: str) -> None:
    assert Bar("a bar", 2, found, TIMES).verdict == verdict


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (400.0, "Behind no peer with any load"),
        (2000.0, f"Behind a peer with HTTP and 64 connections (0.50{TIMES} Granian"),
    ],
)
def test_the_page_says_where_a_peer_is_faster(rate: float, said: str) -> None:
    assert said in page(results(RUN, replace(RUN, server="granian", rate=rate)))


def test_a_page_shows_the_ratio_to_each_peer() -> None:
    text = page(results(RUN, replace(RUN, server="granian", rate=400.0)))

    assert "2.50\N{MULTIPLICATION SIGN}" in text
    assert "uvicorn |" not in text


def test_a_terminal_is_shown_what_there_is() -> None:
    assert "ours" in summary(results(RUN))


def test_the_page_says_how_a_quiet_key_fares_beside_a_flood() -> None:
    quiet = replace(
        RUN, series=Series.FAIRNESS, connections=1, server=beside("ours", ALONE), p50_ms=0.2, p99_ms=0.5, rate=0
    )
    flooded = replace(quiet, server=beside("ours", FLOODS[1]), p50_ms=0.3, p99_ms=0.75, rate=20_000)

    shown = page(results(quiet, flooded))

    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()]
    assert ["", FLOODS[1].name, "0%", "0.30", "0.75", f"1.50{TIMES}", "1.50 to 1.50", "20 000"] in rows


def test_the_page_says_what_several_keys_get_together() -> None:
    one = replace(RUN, series=Series.SHARING, connections=64, server=shared("ours", SHARES[0]), rate=1000)
    two = replace(one, server=shared("ours", SHARES[1]), rate=900, p50_ms=0.3, p99_ms=0.75, cpu_us=50)

    shown = page(results(one, two))

    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()]
    assert ["", "2", "32", "900", "0.30", "0.75", "50.0", f"0.90{TIMES}"] in rows


@pytest.mark.parametrize(
    ("p99_ms", "measured", "verdict"), [(1.0, f"2.00{TIMES}", "met"), (1.1, f"2.20{TIMES}", "**missed**")]
)
def test_the_flood_that_costs_a_quiet_key_most_is_a_bar(p99_ms: float, measured: str, verdict: str) -> None:
    alone = replace(RUN, series=Series.FAIRNESS, connections=1, server=beside("ours", ALONE), p99_ms=0.5)
    floods = (replace(alone, server=beside("ours", flood), p99_ms=p99_ms) for flood in FLOODS[1:3])
    limited = replace(alone, server=beside("ours", FLOODS[-1]), p99_ms=5.0)

    (bar,) = fairness_bars(results(alone, *floods, limited))

    assert (bar.measured, bar.verdict) == (measured, verdict)


@pytest.mark.skipif(not RESULTS.exists(), reason="no benchmark was published yet")
def test_the_published_page_follows_from_the_published_results() -> None:
    assert PAGE.read_text() == published()


def test_revocations_are_read_as_they_were_written_and_shown_with_their_bar(tmp_path: Path) -> None:
    revoked = Revoked("at rest", (*[0.01] * 98, 0.5, 2.0))
    written = Revocations("2026-01-01", {"cpu": "a CPU"}, {"kubernetes": "v1"}, [0.5], 10_000, (revoked,))

    written.write(tmp_path / "revocation.json")

    assert Revocations.read(tmp_path / "revocation.json") == written
    (bar,) = revocation_bars(written)
    assert (bar.measured, bar.verdict) == ("0.50 s", "met")
    assert "| at rest | 100     | 10     | 500    | 2000       |" in page(results(RUN), written)


def test_the_delivery_without_kafka_is_made_as_the_server_makes_the_real_one() -> None:
    asked = [one for one in inspect.signature(Delivery).parameters.values() if one.default is inspect.Parameter.empty]

    assert len(inspect.signature(NoKafka).parameters) == len(asked)
