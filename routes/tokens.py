"""Tokens: credentials of a user for programs."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from routes.http import examples
from routes.http.context import services
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
    """Create a token.

    `secret` is only in this response. Send it as `Authorization: Bearer rdk_…`, or as the password
    of Basic. A request with a token needs the scope `admin` to create tokens.
    """
    return services().tokens.create(actor, body)


@tokens.get("")
@operation(example=[examples.TOKEN])
def list_tokens(actor: Actor) -> Sequence[Token]:
    """List the tokens, newest first.

    Expired tokens are listed for another 30 days. Administrators see the tokens of all users.
    """
    return services().tokens.list(actor)


@tokens.delete("/<token_id>")
@operation()
def revoke_token(actor: Actor, token_id: TokenId) -> None:
    """Revoke a token.

    It becomes invalid within a second.
    """
    services().tokens.revoke(actor, token_id)
