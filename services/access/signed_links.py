"""Short-lived signed links, for what a browser opens at the API from the portal."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from services.access.actors import acting, named
from services.access.tokens import Tokens
from services.errors import NotSignedIn
from services.models import Actor
from services.settings import Settings

HOUR = 3600  # s
#: A link to this address counts for all below it, and for sending too: the portal's uploader
#: creates, continues and ends the uploads of its user with it.
UPLOADS = "/uploads/"


class Links:
    """Makes and checks links. A signature covers path, user, token and time of expiry.

    Who signed in with a token gets links that allow what it does, and end when it does.
    """

    def __init__(self, settings: Settings, tokens: Tokens) -> None:
        self._settings = settings
        self._tokens = tokens
        self._key = _secret(settings.data / "secret")

    def make(self, actor: Actor, path: str, *, seconds: int = HOUR, **query: str) -> str:
        """An absolute address of `path` (unquoted, from "/") at the API, good for `seconds`."""
        expires = str(int(time.time()) + seconds)
        token = actor.token_id or ""
        signed = {
            "actor": actor.id,
            **({"token": token} if token else {}),
            "expires": expires,
            "signature": self._sign(path, actor.id, token, expires),
        }
        return f"{self._settings.public_api_url}{quote(path)}?{urlencode({**query, **signed})}"

    def actor_of(self, path: str, query: Mapping[str, str]) -> Actor | None:
        """Who a request for `path` (unquoted) acts for, or None when it carries no signature.

        Raises NotSignedIn when the signature is wrong, or it or the token has expired.
        """
        if "signature" not in query:
            return None
        actor, expires, token_id = (query.get(name, "") for name in ("actor", "expires", "token"))
        good = hmac.compare_digest(
            self._sign(path, actor, token_id, expires).encode(), query["signature"].encode()
        )
        token = self._tokens.counting(token_id) if good and token_id else None
        over = not expires.isdecimal() or int(expires) < time.time() or (token_id and not token)
        if not good or over:
            raise NotSignedIn("This link has expired.", hint="Open it from the portal again.")
        return acting(token) if token else named(self._settings, actor)

    def _sign(self, path: str, actor: str, token: str, expires: str) -> str:
        parts = (_covered(path), actor, token, expires)
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _covered(path: str) -> str:
    """What a link to `path` counts for."""
    return UPLOADS if path.startswith(UPLOADS) else path


def _secret(path: Path) -> bytes:
    """The desk's key; made once, by whichever process comes first."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".secret-{secrets.token_hex(8)}")
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_bytes(secrets.token_bytes(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
