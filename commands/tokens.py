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
    """Make, list and revoke the tokens with which people and programs sign in."""


@tokens.command("create")
@click.argument("name")
@click.option("--user", default="local", show_default=True, help="In whose name it counts.")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="read: look; submit: upload and run, too; admin: everything, of everybody.",
)
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True)
def create_token(name: str, user: str, scope: str, days: int) -> None:
    """Make a token; NAME says what it is for. Its secret is the only line on standard output."""
    try:
        request = TokenRequest(name=name, owner=user, scope=Scope(scope), days=days)
    except ValueError as error:
        raise click.BadParameter("1 to 100 characters for NAME, 1 to 200 for --user.") from error
    with opened() as services:
        made = services.tokens.create(local_actor(), request)
    click.echo(f"{made.id}: {user} may {scope} until {made.expires:%Y-%m-%d}", err=True)
    click.echo(how_to_use(services.settings), err=True)
    click.echo(made.secret)


def how_to_use(settings: Settings) -> str:
    """What to do with the secret of a token, for a person and for a program."""
    program = f"as `Authorization: Bearer …` to {settings.public_api_url}/api/v1/"
    if not settings.sign_in_by:
        return f"Send the next line {program}; it is shown only now."
    page = f"{settings.public_portal_url}/sign-in"
    return f"Sign in at {page} with the next line, or send it {program}; it is shown only now."


@tokens.command("list")
def list_tokens() -> None:
    """Show all tokens, newest first; their secrets are known to nobody."""
    with opened() as services:
        found = services.tokens.list(local_actor())
    for token in found:
        used = f"{token.used:%Y-%m-%d}" if token.used else "never"
        click.echo(
            f"{token.id}  {token.scope:6}  {token.owner}  {token.name!r}"
            f"  expires {token.expires:%Y-%m-%d}  used {used}"
        )


@tokens.command("revoke")
@click.argument("token")
def revoke_token(token: str) -> None:
    """Revoke the token with that id; it counts no more, a second later at the latest."""
    with opened() as services:
        services.tokens.revoke(local_actor(), token)
    click.echo(f"{token} is revoked.")
