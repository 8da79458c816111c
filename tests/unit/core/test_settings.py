"""Settings from the environment."""

import pytest
from pydantic import Field

from eventstreams.core.settings import Settings, SettingsError, read


class Example(Settings):
    workers: int = Field(4, ge=1)
    log_level: str = "INFO"


def test_defaults_hold_where_nothing_is_set() -> None:
    assert read(Example, {"PATH": "/bin"}) == Example()


def test_a_variable_with_our_prefix_sets_its_field() -> None:
    assert read(Example, {"EVENTSTREAMS_WORKERS": "8"}).workers == 8


def test_an_unknown_variable_is_fatal_and_the_nearest_known_one_is_named() -> None:
    with pytest.raises(SettingsError, match="EVENTSTREAMS_WORKER is unknown; did you mean EVENTSTREAMS_WORKERS"):
        read(Example, {"EVENTSTREAMS_WORKER": "8"})


def test_a_value_out_of_range_names_its_variable() -> None:
    with pytest.raises(SettingsError, match="EVENTSTREAMS_WORKERS: .*greater than or equal to 1"):
        read(Example, {"EVENTSTREAMS_WORKERS": "0"})


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SettingsError, match="EVENTSTREAMS_X is unknown.*EVENTSTREAMS_WORKERS"):
        read(Example, {"EVENTSTREAMS_X": "1", "EVENTSTREAMS_WORKERS": "many"})


@pytest.mark.parametrize(
    "injected",
    [
        "EVENTSTREAMS_OPERATOR_SERVICE_HOST",
        "EVENTSTREAMS_OPERATOR_SERVICE_PORT",
        "EVENTSTREAMS_OPERATOR_SERVICE_PORT_METRICS",
        "EVENTSTREAMS_OPERATOR_PORT",
        "EVENTSTREAMS_OPERATOR_PORT_8080_TCP",
        "EVENTSTREAMS_OPERATOR_PORT_8080_TCP_ADDR",
    ],
)
def test_what_kubernetes_injects_for_services_is_ignored(injected: str) -> None:
    assert read(Example, {injected: "tcp://10.0.0.1:8080"}) == Example()
