"""The portal: run with `streamlit run portal.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui import account, desk, errors, files, launch, monitor, run, shell, theme, workflows

ASSETS = Path(__file__).parent / "ui" / "assets"


def main() -> None:
    st.set_page_config("Rundesk", ASSETS / "icon.svg", layout="wide")
    st.logo(ASSETS / "logo.svg", size="large")
    pages = {
        "runs": st.Page(
            monitor.page,
            title="Runs",
            icon=":material/monitoring:",
            url_path="runs",
            default=True,
        ),
        "new": st.Page(launch.page, title="New run", icon=":material/add_circle:", url_path="new"),
        "files": st.Page(files.page, title="Files", icon=":material/folder:", url_path="files"),
        "workflows": st.Page(
            workflows.page,
            title="Workflows",
            icon=":material/account_tree:",
            url_path="workflows",
        ),
        "run": st.Page(run.page, title="Run", url_path="run", visibility="hidden"),
    }
    desk.pages().update(pages)
    errors.banner()
    visitor = account.visitor()
    page = st.navigation(list(pages.values()), position="top" if visitor else "hidden")
    if not visitor:
        return
    account.head(visitor)
    desk.show_flash()
    with errors.told():
        page.run()
    desk.drop_flash()


if __name__ == "__main__":  # Streamlit draws a page
    main()
else:  # its server imports this module
    theme.install()
    app = st.App(__file__, middleware=shell.middleware())
