"""What a host sends shows with escapes in the log of `fab --debug` and in tracebacks."""

import logging
import sys
import threading

import pytest

from deploy.console.debug import escape_log, escape_tracebacks

HOSTILE = "banner \x1b]52;c;eA==\x07\x9b2J\u202e"
SHOWN = r"banner \x1b]52;c;eA==\x07\x9b2J\u202e"


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    escape_tracebacks()


def test_the_log_keeps_its_form_and_shows_escapes(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.Logger("paramiko")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    root.addHandler(handler)
    try:
        escape_log()
        root.debug("Banner: %s", HOSTILE)
    finally:
        logging.getLogger().removeHandler(handler)

    assert f"paramiko: Banner: {SHOWN}\n" in capfd.readouterr().err


@pytest.mark.usefixtures("hooks")
def test_the_traceback_of_a_bug_shows_escapes(capfd: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(RuntimeError, RuntimeError(HOSTILE), None)

    assert f"RuntimeError: {SHOWN}\n" in capfd.readouterr().err


@pytest.mark.usefixtures("hooks")
def test_the_traceback_of_a_thread_shows_escapes(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError(HOSTILE)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    assert f"RuntimeError: {SHOWN}\n" in capfd.readouterr().err
