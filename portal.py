"""The portal: run with `streamlit run portal.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui import context, errors, streamlit_internals
from ui.pages import files, new_run, run, runs, workflows
from ui.server import account, page_shell

ASSETS = Path(__file__).parent / "ui" / "assets"


def main() -> None:
    st.set_page_config("Rundesk", ASSETS / "icon.svg", layout="wide")
    st.logo(ASSETS / "logo.svg", size="large")
    pages = {
        "runs": st.Page(
            runs.page,
            title="Runs",
            icon=":material/monitoring:",
            url_path="runs",
            default=True,
        ),
        "new": st.Page(new_run.page, title="New run", icon=":material/add_circle:", url_path="new"),
        "files": st.Page(files.page, title="Files", icon=":material/folder:", url_path="files"),
        "workflows": st.Page(
            workflows.page,
            title="Workflows",
            icon=":material/account_tree:",
            url_path="workflows",
        ),
        "run": st.Page(run.page, title="Run", url_path="run", visibility="hidden"),
    }
    context.pages().update(pages)
    context.redraw_after_reconnecting()
    errors.show_banner()
    visitor = account.visitor()
    page = st.navigation(list(pages.values()), position="top" if visitor else "hidden")
    if not visitor:
        return
    account.head(visitor)
    context.show_flash()
    with errors.shown_errors():
        page.run()
    context.drop_flash()


if __name__ == "__main__":  # Streamlit runs the script to draw a page
    main()
else:  # the server of Streamlit imports the module
    streamlit_internals.cache_theme()
    streamlit_internals.disable_address_lookups()
    app = st.App(__file__, middleware=page_shell.middleware())
