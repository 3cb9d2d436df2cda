"""`pointaction extract --queue`: clips are followed by the workers that take them."""

import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from pointaction.errors import InputError
from pointaction.extraction.extract import Estimate, Others, Tried, few_of, time_of
from pointaction.extraction.follower import Failure, Followed, How
from pointaction.extraction.sources import Wanted
from pointaction.terminal import err, plain
from workers.desk import RedisDesk, what
from workers.errors import QueueDown
from workers.presence import alive_for
from workers.redis import connect
from workers.scheduler import NobodyCame, Scheduler
from workers.settings import Settings

_PATIENCE_S = 30.0
_WARMED = 16  # workers that open their methods before it is measured how long a clip takes


def by_queue(store: str, shards: str) -> Others:
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
    patience_s: float = _PATIENCE_S,
) -> Others:
    """The workers behind a broker. They take the place of a command that fills the same shards.

    patience_s: with workers that take no clip which is only tried, for an estimate.
    """
    return _QueueFollowers(settings, what(store, shards), tell, patience_s)


@dataclass(frozen=True, slots=True)
class _QueueFollowers:
    settings: Settings
    what: str  # that is filled, in a word
    tell: Callable[[str], None]
    patience_s: float

    def __call__(
        self, missing: Sequence[Wanted], how: How
    ) -> Generator[Followed | Failure, None, None]:
        """As `extract.Followers`."""
        if not missing:
            return
        scheduler = Scheduler(
            RedisDesk(self.settings, how, of=self.what),
            max_attempts=self.settings.max_attempts,
            lease_s=self.settings.lease_s,
            tell=self.tell,
        )
        with _in_words():
            yield from scheduler.follow(missing)

    def estimate(self, missing: Sequence[Wanted], how: How) -> Estimate:
        """What clips will take the workers that are alive and take some, tried on a few."""
        with _in_words(), connect(self.settings.require("broker_url")) as broker:
            hands = len(alive_for(broker, "extract"))
            tried = self._tried(few_of(missing), how, hands) if hands and missing else None
        return Estimate(clips=len(missing), hands=hands, tried=tried)

    def _tried(self, few: Sequence[Wanted], how: How, hands: int) -> Tried | None:
        """Redis gives a message to whoever has waited longest: each worker is asked once before."""
        try:
            first = [few[0]] * min(hands, _WARMED)
            for _ in self._trial(how, ahead=len(first)).follow(first):
                pass
            return time_of(self._trial(how, ahead=1).follow(few))
        except NobodyCame:
            return None

    def _trial(self, how: How, *, ahead: int) -> Scheduler:
        """Of clips that no store gets: it takes nobody's place."""
        return Scheduler(
            RedisDesk(self.settings, how, of=f"trial {uuid.uuid4().hex}"),
            max_attempts=self.settings.max_attempts,
            lease_s=self.settings.lease_s,
            ahead=ahead,
            patience_s=self.patience_s,
        )


@contextmanager
def _in_words() -> Iterator[None]:
    """What can be done where the broker is not there."""
    try:
        yield
    except (QueueDown, redis.RedisError) as error:
        down = error if isinstance(error, QueueDown) else "Redis does not answer"
        raise InputError(
            f"{down}; look at POINTACTION_BROKER_URL and POINTACTION_CACHE_URL"
        ) from error
