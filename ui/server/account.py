"""Who is signed in: asked for before a page is drawn, and told in its head."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from services.errors import DatabaseUnavailable, NotSignedIn
from services.models import Actor, Scope
from ui import context, errors
from ui.formatting import plain
from ui.server import sign_in

MAY = {
    Scope.READ: context.READ_ONLY,
    Scope.SUBMIT: "Signed in with a token, for your own runs and files.",
    Scope.ADMIN: "Signed in with a token of an administrator: what is everybody's is yours to see.",
}


def visitor() -> Actor | None:
    """Who opens the portal; None when there is nothing to draw for them.

    What a tab remembers is forgotten when it comes back as somebody else.
    """
    try:
        actor = errors.latest("visitor", context.actor)
    except NotSignedIn as error:
        _ask(error)
        return None
    except DatabaseUnavailable:
        return None
    if st.session_state.setdefault("visitor", actor) != actor:
        st.session_state.clear()
        st.rerun()
    return actor


def head(actor: Actor) -> None:
    """In the corner: the name, and the way out for who signed in here."""
    if not context.services().settings.sign_in:
        return
    with (
        st.container(key="account"),
        st.popover(plain(actor.id), icon=":material/person:", type="tertiary"),
    ):
        st.markdown(f"**{plain(actor.id)}**")
        st.caption(MAY[actor.token] if actor.token else "Signed in by the proxy of this desk.")
        if actor.token:
            st.button("Sign out", key="sign-out", icon=":material/logout:", on_click=_sign_out)


def _ask(error: NotSignedIn) -> None:
    settings = context.services().settings
    with st.container(key="signed-out", horizontal_alignment="center", gap="small"):
        st.title(plain(error.message), anchor=False, text_alignment="center")
        st.markdown(plain(error.hint), text_alignment="center")
        if settings.sign_in_by:
            page = f"{st.context.url or ''}?{urlencode(st.query_params.to_dict())}"
            address = sign_in.address(settings, page)
            st.html(
                f'<a class="sign-in" href="{address}" target="_self">Sign in</a>', width="content"
            )


def _sign_out() -> None:
    """End the session of this browser; nothing of it stays in this tab."""
    context.services().sessions.end(context.session())
    st.session_state.clear()
