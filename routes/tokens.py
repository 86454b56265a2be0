"""Tokens: with them programs ask in a user's name."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from routes.http import examples
from routes.http.context import desk
from routes.http.operation import operation
from services.models import Actor, NewToken, Token, TokenId, TokenRequest

tokens = Blueprint("tokens", __name__, url_prefix="/api/v1/tokens")

REVOKE = {"token_id": "$response.body#/data/id"}


@tokens.post("")
@operation(
    status=201,
    errors=(409,),
    links={"revoke_token": {"operationId": "revoke_token", "parameters": REVOKE}},
    request={"name": "nightly searches", "scope": "submit", "days": 90},
    example=examples.NEW_TOKEN,
)
def create_token(actor: Actor, body: TokenRequest) -> NewToken:
    """Make a token.

    `secret` is shown in this reply and never again. Send it as `Authorization: Bearer rdk_…`, or as
    the password of Basic. Only a user in person, or a token of the scope `admin`, makes tokens.
    """
    return desk().tokens.create(actor, body)


@tokens.get("")
@operation(example=[examples.TOKEN])
def list_tokens(actor: Actor) -> Sequence[Token]:
    """List the tokens, newest first.

    Those that expired are listed for another 30 days. An administrator sees everybody's.
    """
    return desk().tokens.list(actor)


@tokens.delete("/<token_id>")
@operation()
def revoke_token(actor: Actor, token_id: TokenId) -> None:
    """Revoke a token.

    It counts no more, a second later at the latest.
    """
    desk().tokens.revoke(actor, token_id)
