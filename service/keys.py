"""API keys: who may come in, until when, and how often.

A key is shown once, when it is made; what is kept is its SHA-256. A slow hash such as bcrypt is
for passwords, which can be guessed: of 256 random bits nothing can be, and a fast one lets every
request be judged by looking its digest up.
"""

import hashlib
import re
import secrets
import time
import uuid
from typing import cast

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis

from pointaction.errors import InputError

KEYS = "keys"  # Redis hash: digest of a key -> its record
PREFIX = "pa_"  # by which people and scanners for leaked secrets know one
_NAME = re.compile(r"[\w.@ -]{1,64}")
_LENGTH_S = {"d": 86400, "h": 3600, "m": 60}


class Limits(BaseModel):
    """How much its holder may ask. None: what the server's settings say; 0: any number."""

    model_config = ConfigDict(frozen=True)

    submits_per_minute: int | None = Field(default=None, ge=0)  # requests that make jobs
    reads_per_minute: int | None = Field(default=None, ge=0)  # all others
    submits_per_day: int | None = Field(default=None, ge=0)  # of the calendar, in UTC
    pending: int | None = Field(default=None, ge=0)  # jobs that have not ended

    def over(self, defaults: "Limits") -> "Limits":
        """These, with the defaults where they say nothing."""
        return defaults.model_copy(update=self.model_dump(exclude_none=True))


class Key(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)  # to which jobs and episodes belong
    name: str
    hint: str  # how the key begins
    created_at: float = Field(default_factory=time.time)  # seconds since the epoch, as the others
    expires_at: float | None = None
    revoked_at: float | None = None
    limits: Limits = Limits()

    def opens(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def digest(token: str) -> str:
    """What is kept of a key: 64 hex digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def seconds(duration: str) -> float:
    """`90d`, `12h` or `30m` in seconds."""
    number, unit = duration[:-1], duration[-1:]
    if not re.fullmatch("[0-9]{1,6}", number) or unit not in _LENGTH_S or int(number) == 0:
        raise InputError(f"a duration is like 90d, 12h or 30m, got {duration!r}")
    return int(number) * _LENGTH_S[unit]


class KeyStore:
    """The keys of a service, in the Redis of its broker. Raises redis.RedisError when that is away.

    `redis` is a client for text (`workers.redis.connect`).
    """

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def create(
        self, name: str, *, expires_s: float | None = None, limits: Limits | None = None
    ) -> tuple[str, Key]:
        """A new key, which is told this once, and its record; InputError if the name is taken."""
        if not _NAME.fullmatch(name):
            raise InputError(
                f"a name has 1 to 64 letters, digits, spaces or .@_-, got {name[:80]!r}"
            )
        if self._named(name):
            raise InputError(
                f"there is a key {name!r} already; `pointaction keys rotate` gives it a new secret"
            )
        return self._file(
            Key(name=name, hint="", expires_at=_end(expires_s), limits=limits or Limits())
        )

    def rotate(self, name: str, *, expires_s: float | None = None) -> tuple[str, Key]:
        """A new secret for the holder of a key, who keeps jobs and episodes; the old one is void.

        Of one that has expired, too; InputError if there is none, or it is revoked.
        """
        old, key = self._known(name)
        made = self._file(key.model_copy(update={"expires_at": _end(expires_s)}))
        self.redis.hdel(KEYS, old)
        return made

    def revoke(self, name: str) -> Key:
        """Let a key open nothing from now on; InputError if there is none, or it is revoked."""
        found, key = self._known(name)
        revoked = key.model_copy(update={"revoked_at": time.time()})
        self.redis.hset(KEYS, found, _text(revoked))
        return revoked

    def all(self) -> list[Key]:
        """Every key there ever was, the oldest first."""
        return sorted(self._read().values(), key=lambda key: key.created_at)

    def any_opens(self) -> bool:
        """Whether somebody can come in with a key."""
        return any(key.opens(time.time()) for key in self._read().values())

    def _file(self, key: Key) -> tuple[str, Key]:
        token = PREFIX + secrets.token_hex(32)
        key = key.model_copy(update={"hint": token[: len(PREFIX) + 4]})
        self.redis.hset(KEYS, digest(token), _text(key))
        return token, key

    def _known(self, name: str) -> tuple[str, Key]:
        found = self._named(name)
        if found is None:
            raise InputError(f"there is no key {name!r}; see `pointaction keys list`")
        return found

    def _named(self, name: str) -> tuple[str, Key] | None:
        """The digest and the record of the key of this name that was not revoked."""
        for found, key in self._read().items():
            if key.name == name and key.revoked_at is None:
                return found, key
        return None

    def _read(self) -> dict[str, Key]:
        texts = cast("dict[str, str]", self.redis.hgetall(KEYS))
        return {found: Key.model_validate_json(text) for found, text in texts.items()}


def _end(expires_s: float | None) -> float | None:
    return None if expires_s is None else time.time() + expires_s


def _text(key: Key) -> str:
    # Without what is None: Redis judges the record by what is there.
    return key.model_dump_json(exclude_none=True)
