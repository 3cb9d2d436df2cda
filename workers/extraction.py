"""`pointaction extract --queue`: clips are followed by the workers that take them."""

from collections.abc import Callable, Generator, Sequence

from pointaction.errors import InputError
from pointaction.extraction.extract import Followers
from pointaction.extraction.follower import Failure, Followed, How
from pointaction.extraction.sources import Wanted
from pointaction.terminal import err, plain
from workers.desk import RedisDesk, what
from workers.errors import QueueDown
from workers.scheduler import Scheduler
from workers.settings import Settings


def by_queue(store: str, shards: str) -> Followers:
    """The entry point `queue` of the group `pointaction.followers`. The broker is that of the
    settings.
    """
    settings = Settings()
    if not settings.broker_url or not settings.cache_url:
        raise InputError(
            "--queue needs POINTACTION_BROKER_URL and POINTACTION_CACHE_URL: the Redis of the "
            "workers that are started by `pointaction worker --takes extract`"
        )
    return queue_followers(
        settings, store, shards, tell=lambda text: err.print(plain(text), style="yellow")
    )


def queue_followers(
    settings: Settings,
    store: str,
    shards: str,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Followers:
    """The workers behind a broker. They take the place of a command that fills the same shards."""

    def follow(missing: Sequence[Wanted], how: How) -> Generator[Followed | Failure, None, None]:
        if not missing:
            return
        scheduler = Scheduler(
            RedisDesk(settings, how, of=what(store, shards)),
            max_attempts=settings.max_attempts,
            lease_s=settings.lease_s,
            tell=tell,
        )
        try:
            yield from scheduler.follow(missing)
        except QueueDown as error:
            raise InputError(
                f"{error}; look at POINTACTION_BROKER_URL and POINTACTION_CACHE_URL"
            ) from error

    return follow
