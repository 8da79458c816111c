"""Coverage-guided fuzzing of the REST producer's wire: `make fuzz`, `make fuzz-corpus`.

libFuzzer, by way of Atheris, mutates streams of bytes and keeps those that reach something new in the producer or in
h11. It starts from corpus/ and from the cases of tests/unit/producer/http_cases, and keeps what it finds in .fuzz/. A
stream that breaks an invariant ends it and is written to crashes/, where `make test-unit` meets it too.
"""

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Final

SCRATCH: Final = Path(".fuzz")
FOUND: Final = SCRATCH / "found"
STREAM_SECONDS: Final = 20
"""For one stream; the slowest take a second."""


def run_libfuzzer(options: list[str], output: Path) -> None:
    """Run libFuzzer with options of its own, new streams going to `output`. It ends the process."""
    import atheris

    with atheris.instrument_imports(include=["eventstreams.producer", "h11"]):
        from fuzz.corpus import CORPUS, CRASHES, write_dictionary, write_seeds
        from fuzz.invariants import MAX_BYTES, check

    seeds, words = SCRATCH / "seeds", SCRATCH / "words"
    for directory in (output, FOUND, seeds, CORPUS, CRASHES):
        directory.mkdir(parents=True, exist_ok=True)
    write_seeds(seeds)
    write_dictionary(words)
    common = [
        "-verbosity=0",
        "-print_final_stats=1",
        f"-dict={words}",
        f"-max_len={MAX_BYTES}",
        f"-timeout={STREAM_SECONDS}",
        f"-artifact_prefix={CRASHES}/",
    ]
    streams = map(str, dict.fromkeys((output, FOUND, CORPUS, CRASHES, seeds)))
    program = f"{sys.executable} -m fuzz"  # what libFuzzer starts anew to merge
    atheris.Setup([program, *common, *options, *streams], check)
    atheris.Fuzz()


def main() -> None:
    if importlib.util.find_spec("atheris") is None:
        sys.stdout.write("No fuzzing: atheris has no wheel for this machine or Python; test-unit replays the corpus\n")
        return
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, help="how long; further arguments are libFuzzer's")
    parser.add_argument("--merge", type=Path, help="write the fewest streams that reach all that was reached, and end")
    given, further = parser.parse_known_args()
    if given.merge is None:
        run_libfuzzer([f"-max_total_time={given.seconds}", *further], FOUND)
    else:
        run_libfuzzer(["-merge=1", *further], given.merge)


if __name__ == "__main__":
    main()
