"""Short-lived signed links with which a browser opens API resources from the portal."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from services.access.actors import token_actor, user_actor
from services.access.tokens import Tokens
from services.errors import Message, NotSignedIn
from services.models import Actor
from services.settings import Settings

LINK_LIFETIME_S = 3600
#: A link to this path is valid for all paths below it and for all methods: the uploader of the
#: portal creates, continues and deletes the uploads of its user with it.
UPLOADS = "/uploads/"

INVALID_LINK = Message(
    "invalid_link",
    "This link is invalid or has expired.",
    hint="Open it from the portal again, or request a new link.",
)


class Links:
    """Creates and checks links. A signature covers path, user, token and time of expiry.

    Links of a user who signed in with a token allow what the token allows, while it is valid.
    """

    def __init__(self, settings: Settings, tokens: Tokens) -> None:
        self._settings = settings
        self._tokens = tokens
        self._key = _secret(settings.data / "secret")

    def make(self, actor: Actor, path: str, *, seconds: int = LINK_LIFETIME_S, **query: str) -> str:
        """Return the URL of `path` (unquoted, from "/") at the API, valid for `seconds`."""
        expires = str(int(time.time()) + seconds)
        token = actor.token_id or ""
        signed = {
            "actor": actor.id,
            **({"token": token} if token else {}),
            "expires": expires,
            "signature": self._sign(path, actor.id, token, expires),
        }
        return f"{self._settings.public_api_url}{quote(path)}?{urlencode({**query, **signed})}"

    def make_stable(self, actor: Actor, path: str, **query: str) -> str:
        """Return the URL of `path`, valid for one to two hours, that is the same for an hour."""
        seconds = 2 * LINK_LIFETIME_S - int(time.time()) % LINK_LIFETIME_S
        return self.make(actor, path, seconds=seconds, **query)

    def actor_of(self, path: str, query: Mapping[str, str]) -> Actor | None:
        """Return the actor of a request for `path` (unquoted), or None if it has no signature.

        Raises NotSignedIn when the signature is wrong, or the link or its token has expired.
        """
        if "signature" not in query:
            return None
        actor, expires, token_id = (query.get(name, "") for name in ("actor", "expires", "token"))
        authentic = hmac.compare_digest(
            self._sign(path, actor, token_id, expires).encode(), query["signature"].encode()
        )
        token = self._tokens.get_valid(token_id) if authentic and token_id else None
        expired = not expires.isdecimal() or int(expires) < time.time() or (token_id and not token)
        if not authentic or expired:
            raise NotSignedIn(INVALID_LINK())
        return token_actor(token) if token else user_actor(self._settings, actor)

    def _sign(self, path: str, actor: str, token: str, expires: str) -> str:
        parts = (_signed_path(path), actor, token, expires)
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _signed_path(path: str) -> str:
    """The path that the signature of a link to `path` covers."""
    return UPLOADS if path.startswith(UPLOADS) else path


def _secret(path: Path) -> bytes:
    """Return the signing key of this installation; the first process creates it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".secret-{secrets.token_hex(8)}")
        try:
            draft.touch(mode=0o600, exist_ok=False)
            draft.write_bytes(secrets.token_bytes(32))
            # a link, not a renaming: it must not replace the key of another process
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    return path.read_bytes()
