"""Runs: submission, sample sheets, previews, queue position, views and events."""

from services.runs.service import Runs

__all__ = ["Runs"]
