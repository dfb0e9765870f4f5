"""The log: JSON for machines, and no secret in it."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from edge import logs

NOON_MS = 1_767_268_800_000


@pytest.fixture(autouse=True)
def _set_up() -> None:
    logs.set_up(lambda: NOON_MS, terminal=False)


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    line: dict[str, object] = json.loads(capsys.readouterr().out)
    return line


def test_a_line_for_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level and event first; bytes as hex; the time is the clock's that was given."""
    structlog.get_logger().info("serving", site="hz-1", boot=b"\x01\x02")
    assert list(said(capsys).items()) == [
        ("timestamp", "2026-01-01T12:00:00.000+00:00"),
        ("level", "info"),
        ("event", "serving"),
        ("site", "hz-1"),
        ("boot", "0102"),
    ]


@pytest.mark.parametrize(
    "secret",
    [
        {"password": "hunter2"},
        {"mqtt_password": "hunter2"},
        {"card": "hunter2"},
        {"credential": b"hunter2"},
        {"headers": {"Authorization": "hunter2"}},
        {"url": "https://box:hunter2@hq.example.com/"},
        {"error": "401 for Bearer hunter2"},
        {"what": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"},
        {"device_key": "hunter2"},
        {"parts": ["https://box:hunter2@hq/"]},
    ],
)
def test_no_secret_is_logged(capsys: pytest.CaptureFixture[str], secret: dict[str, object]) -> None:
    """By its name or by its form, however deep."""
    structlog.get_logger().warning("something", **secret)
    line = capsys.readouterr().out
    assert "hunter2" not in line
    assert b"hunter2".hex() not in line
    assert logs.HIDDEN in line


def test_a_library_speaks_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    """What goes to the standard log is a line like all others, warnings and worse."""
    logging.getLogger("paho").warning("reconnecting to %s", "mqtt://u:hunter2@broker")
    logging.getLogger("paho").info("ping")
    assert said(capsys)["event"] == f"reconnecting to mqtt://{logs.HIDDEN}@broker"


def test_an_exception_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With its traceback in a field, so that journald keeps it together."""
    try:
        raise ValueError("a bug")
    except ValueError as error:
        structlog.get_logger().error("stopped", exc_info=error)
    assert "ValueError: a bug" in str(said(capsys)["exception"])
