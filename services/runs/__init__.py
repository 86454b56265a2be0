"""Runs: submission, sheets, drafts, previews, queue positions, views, events, the installation."""

from services.runs.service import Runs

__all__ = ["Runs"]
