"""kubectl-es: the command line, which kubectl finds as `kubectl es`."""

import sys
import traceback
from collections.abc import Sequence
from typing import Final

from eventstreams.cli.app import build
from eventstreams.cli.program import Program, of_this_process

EXIT_BUG: Final = 70
"""EX_SOFTWARE of sysexits.h: an error of the program itself."""


def main() -> None:
    """Run the command that the process was started with."""
    sys.exit(run(sys.argv[1:], of_this_process()))


def run(arguments: Sequence[str], program: Program) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 70 a bug."""
    try:
        build(program)(args=list(arguments), prog_name="kubectl es")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001  # the outermost place: what nobody foresaw is our bug
        traceback.print_exc(file=program.stderr)
        program.stderr.write("\nThis is an error in kubectl es itself: please report it with the lines above.\n")
        return EXIT_BUG
    return 0


if __name__ == "__main__":
    main()
