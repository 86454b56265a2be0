"""The theme as Streamlit sends it, made once.

Streamlit gathers the six parts of the theme from its options at each poll of each page, which is a
seventh of what a poll takes; there is no setting. They do not change while the portal runs.
"""

from __future__ import annotations

from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

gather = app_session._populate_theme_msg
made: dict[str, CustomThemeConfig] = {}


def put(message: CustomThemeConfig, section: str = "theme") -> None:
    """Write one part of the theme into a message that has nothing of it yet."""
    if section not in made:
        part = CustomThemeConfig()
        gather(part, section)
        made[section] = part
    if made[section].ByteSize():
        message.MergeFrom(made[section])


def install() -> None:
    app_session._populate_theme_msg = put
