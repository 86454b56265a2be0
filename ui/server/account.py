"""The signed-in user: required before a page is drawn, and shown in the top corner of it."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from services.errors import DatabaseUnavailable, NotSignedIn
from services.models import Actor, Scope
from ui import context, errors
from ui.formatting import plain
from ui.server import sign_in

PERMISSIONS = {
    Scope.READ: context.READ_ONLY,
    Scope.SUBMIT: "You can see and change your own runs and files.",
    Scope.ADMIN: "You are an administrator. You can see and change all users' runs and files.",
}
BY_PROXY = "You are signed in through the proxy of this server."


def visitor() -> Actor | None:
    """Return the user who opened the portal; None if no page can be drawn for them.

    The state of a tab is cleared when a different user has signed in.
    """
    try:
        actor = errors.latest("visitor", context.actor)
    except NotSignedIn as error:
        _show_sign_in(error)
        return None
    except DatabaseUnavailable:
        return None
    if st.session_state.setdefault("visitor", actor) != actor:
        st.session_state.clear()
        st.rerun()
    return actor


def head(actor: Actor) -> None:
    """Show the user's name in the top corner, with a menu to sign out."""
    if not context.services().settings.sign_in:
        return
    with (
        st.container(key="account"),
        st.popover(plain(actor.id), icon=":material/person:", type="tertiary"),
    ):
        st.markdown(f"**{plain(actor.id)}**")
        st.caption(PERMISSIONS[actor.token] if actor.token else BY_PROXY)
        if actor.token:
            st.button("Sign out", key="sign-out", icon=":material/logout:", on_click=_sign_out)


def _show_sign_in(error: NotSignedIn) -> None:
    """Show the reason, and a link to the sign-in page if this server has one."""
    settings = context.services().settings
    with st.container(key="signed-out", horizontal_alignment="center", gap="small"):
        st.title(plain(error.message), anchor=False, text_alignment="center")
        st.markdown(plain(error.hint), text_alignment="center")
        if settings.sign_in_by:
            page = f"{st.context.url or ''}?{urlencode(st.query_params.to_dict())}"
            address = sign_in.sign_in_url(settings, page)
            st.html(
                f'<a class="sign-in" href="{address}" target="_self">Sign in</a>', width="content"
            )


def _sign_out() -> None:
    """End the session of this browser and clear the state of this tab."""
    context.services().sessions.end(context.session())
    st.session_state.clear()
