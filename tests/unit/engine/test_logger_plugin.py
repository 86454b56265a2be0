"""The logger plugin passes the tests that Snakemake's interface has for logger plugins."""

from __future__ import annotations

import pytest
from snakemake.logging import logger
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

from services.engine import reporter, snakemake_internals
from services.engine.snakemake_internals import SnakemakeChanged
from services.rundir import AttemptDir
from snakemake_logger_plugin_rundesk import LogHandler, LogHandlerSettings


@pytest.fixture(autouse=True)
def snakemake_logger():
    """Snakemake's logger without handlers."""
    logger.handlers.clear()
    yield logger
    logger.handlers.clear()


class TestLogHandler(TestLogHandlerBase):
    __test__ = True

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path):
        self._folder = tmp_path

    def get_log_handler_cls(self):
        return LogHandler

    def get_log_handler_settings(self):
        return LogHandlerSettings(directory=self._folder)


def test_handler_without_snakemakes_logger_reports_from_the_queue(tmp_path, monkeypatch):
    def fail(handler):
        raise SnakemakeChanged("snakemake.logging.logger", "the logger plugin")

    monkeypatch.setattr(snakemake_internals, "add_log_handler", fail)
    handler = LogHandler(MockOutputSettings(), LogHandlerSettings(directory=tmp_path))
    record = logger.makeRecord("snakemake", 20, "", 0, "", (), None)
    vars(record).update(event="progress", done=1, total=2)
    handler.handle(record)
    handler.close()
    (spooled,) = reporter.read(AttemptDir(tmp_path).spool)
    assert (spooled["type"], spooled["done"], spooled["total"]) == ("progress", 1, 2)
