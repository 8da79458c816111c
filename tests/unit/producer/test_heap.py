"""What glibc does with the memory of a burst."""

import subprocess
import sys
from typing import Final

BURSTS: Final = """\
import resource

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bodies = [bytearray(b"x") * 65_536 for _ in range(100)]
    del bodies
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

from eventstreams.main.producer import keep_heap
keep_heap()
faults()
print(faults())
"""


def test_the_memory_of_a_burst_is_kept_for_the_next_one() -> None:
    second = subprocess.run([sys.executable, "-c", BURSTS], check=True, capture_output=True, text=True).stdout

    assert int(second) < 100  # of 1600 pages
