"""`rundesk tokens`."""

from __future__ import annotations

import click

from commands.group import main
from commands.opening import opened
from services.access.actors import local_actor
from services.models import Scope, TokenRequest
from services.settings import Settings


@main.group()
def tokens() -> None:
    """Create, list and revoke the tokens with which people and programs sign in."""


@tokens.command("create")
@click.argument("name")
@click.option(
    "--user", default="local", show_default=True, help="User whom the token authenticates."
)
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="read: read only; submit: also upload and run; admin: manage data of all users.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=90,
    show_default=True,
    help="Days until the token expires.",
)
def create_token(name: str, user: str, scope: str, days: int) -> None:
    """Create a token. NAME describes its purpose.

    The secret is the only line on standard output. It is shown only once.
    """
    try:
        request = TokenRequest(name=name, owner=user, scope=Scope(scope), days=days)
    except ValueError as error:
        raise click.BadParameter("NAME takes 1 to 100 characters, --user 1 to 200.") from error
    with opened() as services:
        token = services.tokens.create(local_actor(), request)
    click.echo(
        f"Created token {token.id} for {user} with scope {scope}, valid until"
        f" {token.expires:%Y-%m-%d}.",
        err=True,
    )
    click.echo(how_to_use(services.settings), err=True)
    click.echo(token.secret)


def how_to_use(settings: Settings) -> str:
    """How people and programs use the secret of a token."""
    api = f"{settings.public_api_url}/api/v1/"
    if not settings.sign_in_by:
        return (
            f"Send the secret below as `Authorization: Bearer …` to {api}. It is shown only once."
        )
    page = f"{settings.public_portal_url}/sign-in"
    return (
        f"Sign in at {page} with this secret, or send it as `Authorization: Bearer …`"
        f" to {api}. It is shown only once."
    )


@tokens.command("list")
def list_tokens() -> None:
    """List all tokens, newest first. Secrets are not stored and cannot be shown."""
    with opened() as services:
        listed = services.tokens.list(local_actor())
    for token in listed:
        used = f"{token.used:%Y-%m-%d}" if token.used else "never"
        click.echo(
            f"{token.id}  {token.scope:6}  {token.owner}  {token.name!r}"
            f"  expires {token.expires:%Y-%m-%d}  used {used}"
        )


@tokens.command("revoke")
@click.argument("token")
def revoke_token(token: str) -> None:
    """Revoke the token with the id TOKEN. It becomes invalid within one second."""
    with opened() as services:
        services.tokens.revoke(local_actor(), token)
    click.echo(f"Revoked token {token}.")
