"""Log lines."""

import json
import logging

from eventstreams.core.logs import JSONFormatter, TextFormatter


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "eventstreams.topic", "levelname": "INFO", "msg": "Created topic"})
    vars(made).update(extra)
    return made


def test_a_json_line_holds_message_and_values() -> None:
    line = json.loads(JSONFormatter().format(record(topic="orders", partitions=3)))
    assert (line["message"], line["level"], line["topic"], line["partitions"]) == ("Created topic", "INFO", "orders", 3)


def test_a_text_line_ends_with_the_values() -> None:
    assert TextFormatter().format(record(topic="orders")).endswith("eventstreams.topic: Created topic topic=orders")


def test_a_traceback_stays_inside_one_json_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        made = record(exc_info=(ValueError, error, error.__traceback__))
    line = JSONFormatter().format(made)
    assert "\n" not in line
    assert "boom" in json.loads(line)["traceback"]
