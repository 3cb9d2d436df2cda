"""Fetch one file: resumed where it broke off, and checked."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pointaction.errors import DamagedWeights, InputError
from pointaction.models.digests import digest
from pointaction.models.room import expect_room, is_full

Progress = Callable[[int, int | None], None]
"""Told the bytes here so far, and in all where that is known."""

_DIGEST = re.compile(r'"?([0-9a-f]{64})"?')


def fetch(url: str, part: Path, *, sha256: str | None, progress: Progress) -> str:
    """Append to `part` what it lacks of the file at `url`, and return its SHA-256.

    That has to be `sha256`, or where that is None the one that the host announces, if it does;
    else `part` is removed and DamagedWeights raised. InputError where nothing more came: what is
    there is kept for the next call.
    """
    announced = _append(url, part, progress)
    expected, found = sha256 or announced, digest(part)
    if expected and found != expected:
        part.unlink()
        raise DamagedWeights(
            f"{url} has SHA-256 {found}, expected was {expected}; what was fetched is removed, "
            "pull again",
            limit=expected,
            value=found,
        )
    return found


def _append(url: str, part: Path, progress: Progress) -> str | None:
    """The SHA-256 that the host announces."""
    import httpx

    have = part.stat().st_size if part.exists() else 0
    wish = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with httpx.stream("GET", url, headers=wish, follow_redirects=True, timeout=30) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return _announced(answer)  # all of it is here
            answer.raise_for_status()
            if answer.status_code != httpx.codes.PARTIAL_CONTENT:
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with part.open("ab" if have else "wb") as to:
                expect_room(part, (total or 0) - have)
                for piece in answer.iter_raw():
                    to.write(piece)
                    have += len(piece)
                    progress(have, total)
            return _announced(answer)
    except (httpx.HTTPError, OSError) as error:
        if is_full(error):
            raise InputError(
                f"no space is left for {part}; make room and call again to go on where it stopped"
            ) from error
        raise InputError(
            f"cannot fetch {url}: {error}. Call again to go on where it stopped, or fetch it "
            "elsewhere and give it with --from"
        ) from error


def _announced(answer: Any) -> str | None:
    """Hubs that keep large files by their digest send it along as X-Linked-ETag."""
    for response in [*answer.history, answer]:
        if found := _DIGEST.fullmatch(response.headers.get("X-Linked-ETag", "")):
            return found[1]
    return None
