"""How tests are spread over pytest-xdist's workers: by file, as the tests of one share what they start.

All of e2e is one group, on the one node there is. It waits more than it works, so it begins first and runs beside the
integration tests. The files with the most tests follow.
"""

from collections import Counter
from pathlib import Path

import pytest

E2E = Path(__file__).parent / "e2e"


def pytest_itemcollected(item: pytest.Item) -> None:
    path = item.path
    item.add_marker(pytest.mark.xdist_group("e2e" if E2E in path.parents else f"{path.parent.name}/{path.stem}"))


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (E2E not in item.path.parents, -sizes[item.path]))
