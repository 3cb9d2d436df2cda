"""Names that lead to one job or episode, whoever asks first: idempotency keys and drawings."""

import json
from dataclasses import asdict, dataclass
from typing import cast

from redis import Redis

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    job: str  # its id, or that of the episode
    payload: str = ""  # digest of what was asked for

    def to_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


class Reservations:
    """Raises redis.RedisError when Redis is away."""

    def __init__(self, redis: Redis, *, ttl_s: int) -> None:
        self.redis = redis
        self.ttl_s = ttl_s
        self._release = redis.register_script(_RELEASE)

    def holder(self, name: str) -> Reservation | None:
        """Who has the name."""
        text = cast("str | None", self.redis.get(_key(name)))
        return None if text is None else Reservation(**json.loads(text))

    def take(self, name: str, reservation: Reservation) -> Reservation:
        """Have the name, or be told who has it. Of many that ask at once, one gets it."""
        while True:
            if self.redis.set(_key(name), reservation.to_text(), nx=True, ex=self.ttl_s):
                return reservation
            if holder := self.holder(name):
                return holder

    def release(self, name: str, reservation: Reservation) -> None:
        """Give the name up, if it is still held by this reservation."""
        self._release(keys=[_key(name)], args=[reservation.to_text()])


def _key(name: str) -> str:
    return f"reserved:{name}"
