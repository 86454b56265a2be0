"""Fields that were recognized say so in their help."""

from __future__ import annotations

import pytest

from ui.forms import widgets


@pytest.mark.parametrize("how", ["name", "read", "planned", "overlay"])
def test_help_of_a_recognised_field_says_how(how):
    text = widgets.help_of({"description": "Reads.", "recognised": how})
    assert text == f"Reads. {widgets.RECOGNISED[how]}"


def test_help_of_other_fields_says_nothing_about_recognition():
    assert widgets.help_of({"description": "Reads.", "minimum": 1}) == "Reads. Allowed: at least 1."
