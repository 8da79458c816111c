"""The operator's command: what it tells before it runs."""

import pytest

from eventstreams.core.settings import variable
from eventstreams.main.operator import main, start
from eventstreams.runtime.settings import OperatorSettings


def test_help_lists_every_setting_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert [name for name in OperatorSettings.model_fields if variable(name) not in told] == []
    assert f"EVENTSTREAMS_WORKERS [{OperatorSettings().workers}]\n      Objects of one kind" in told


def test_an_unknown_setting_ends_the_start_with_the_nearest_known_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert start({"EVENTSTREAMS_RESYNC_SECOND": "5"}) == 2
    assert "did you mean EVENTSTREAMS_RESYNC_SECONDS?" in capsys.readouterr().err
