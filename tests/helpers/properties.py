"""Hypothesis with a profile for busy machines, where drawing values may take seconds."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

__all__ = ["given", "settings"]

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
