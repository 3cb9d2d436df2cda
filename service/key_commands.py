"""`pointaction keys`: who may use the service."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.markup import escape
from rich.table import Table

from pointaction.errors import PointActionError
from pointaction.terminal import err, out
from service.keys import Key, KeyStore, Limits, seconds
from service.settings import ServiceSettings
from workers.embedded import EmbeddedRedis
from workers.redis import answers, connect

Name = Annotated[str, typer.Argument(help="Whose it is.")]
DataDir = Annotated[Path | None, typer.Option(help="Where clips and queue live.")]
Expires = Annotated[
    str | None, typer.Option(help="After how long: 90d, 12h or 30m. Without: never.")
]
keys = typer.Typer(
    help="Who may use the service. Works on POINTACTION_BROKER_URL, else on the Redis that "
    "`pointaction serve` keeps in the data folder, running or not.",
    no_args_is_help=True,
)


@keys.command("create")
def create_key(
    name: Name,
    expires: Expires = None,
    submits: Annotated[int | None, typer.Option(min=0, help="Submissions a minute.")] = None,
    reads: Annotated[int | None, typer.Option(min=0, help="Other requests a minute.")] = None,
    per_day: Annotated[int | None, typer.Option(min=0, help="Submissions a day.")] = None,
    pending: Annotated[int | None, typer.Option(min=0, help="Jobs that have not ended.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and show it, this once. Limits of 0 are none; without, the settings' hold."""
    limits = Limits(
        submits_per_minute=submits, reads_per_minute=reads, submits_per_day=per_day, pending=pending
    )
    lasts_s = seconds(expires) if expires else None
    with _key_store(data_dir) as store:
        _show_token(*store.create(name, expires_s=lasts_s, limits=limits))


@keys.command("list")
def list_keys(data_dir: DataDir = None) -> None:
    """Show every key, but for the secret, and its limits."""
    settings = ServiceSettings.given(data_dir=data_dir)
    with _key_store(data_dir) as store:
        known = store.all()
    if not known:
        out.print("no keys; `pointaction keys create NAME` makes one")
        return
    table = Table("name", "begins", "made", "expires", "a minute", "a day", "pending", box=None)
    for key in known:
        limits = key.limits.over(settings.limits)
        rates = f"{_number(limits.submits_per_minute)} + {_number(limits.reads_per_minute)}"
        ends = "revoked" if key.revoked_at else _day(key.expires_at) if key.expires_at else "never"
        counts = (rates, _number(limits.submits_per_day), _number(limits.pending))
        table.add_row(escape(key.name), f"{key.hint}…", _day(key.created_at), ends, *counts)
    out.print(table)


@keys.command("rotate")
def rotate_key(name: Name, expires: Expires = None, data_dir: DataDir = None) -> None:
    """Give the holder of a key a new one, with the same limits, jobs and episodes."""
    lasts_s = seconds(expires) if expires else None
    with _key_store(data_dir) as store:
        _show_token(*store.rotate(name, expires_s=lasts_s))


@keys.command("revoke")
def revoke_key(name: Name, data_dir: DataDir = None) -> None:
    """Let a key open nothing any more, from the next request on."""
    with _key_store(data_dir) as store:
        out.print(f"{escape(store.revoke(name).name)} is revoked")


@contextmanager
def _key_store(data_dir: Path | None) -> Iterator[KeyStore]:
    settings = ServiceSettings.given(data_dir=data_dir)
    with _broker(settings) as url, closing(connect(url)) as redis:
        try:
            yield KeyStore(redis)
        except RedisError as error:
            raise PointActionError(f"the Redis of the service does not answer: {error}") from error


@contextmanager
def _broker(settings: ServiceSettings) -> Iterator[str]:
    """The URL of the service's Redis; of an embedded one that is not running, started for now."""
    embedded = EmbeddedRedis(settings.data_dir)
    if settings.broker_url or answers(embedded.broker_url):
        yield settings.broker_url or embedded.broker_url
    else:
        with embedded:
            yield embedded.broker_url


def _show_token(token: str, key: Key) -> None:
    ends = f"until {_day(key.expires_at)}" if key.expires_at else "until it is revoked"
    err.print(f"the key of {escape(key.name)}, {ends}; it is not shown again:")
    typer.echo(token)  # alone on stdout, to be taken by a script


def _number(limit: int | None) -> str:
    return str(limit) if limit else "any"


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment).isoformat(" ", "minutes")
