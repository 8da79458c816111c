"""How tests are spread over pytest-xdist's workers with `--dist loadfile`: by file, the files with most tests first.

All of e2e goes to one worker, as there is one node. It waits more than it works, so it begins first and runs beside
the integration tests.
"""

from collections import Counter
from typing import Any

import pytest
from typing_extensions import override
from xdist.scheduler import LoadFileScheduling

E2E = "tests/e2e/"


class Spread(LoadFileScheduling):
    @override
    def _split_scope(self, nodeid: str) -> str:
        return E2E if nodeid.startswith(E2E) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread | None:
    return Spread(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (not item.nodeid.startswith(E2E), -sizes[item.path]))
