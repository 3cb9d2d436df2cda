"""An upload goes to disk as it comes in, hashed on the way, and is refused as early as can be.

The multipart parser is fed chunk by chunk and hands the file's bytes to a `FileTarget`; nothing
but the short text fields is held in memory.
"""

import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import anyio
import anyio.to_thread
from starlette.requests import Request
from streaming_form_data import ParseFailedException, StreamingFormDataParser
from streaming_form_data.parser import UnexpectedPartException
from streaming_form_data.targets import BaseTarget

from pointaction.tracks import Tracks
from pointaction.video.container import HEAD_BYTES, NAMES, sniff
from service.problems import Refused

Media = Literal["clip", "tracks"]
MEDIA: tuple[Media, ...] = ("clip", "tracks")
_ZIP = b"PK\x03\x04"
_MAX_TEXT_BYTES = 256
# Boundaries and part headers. A body that has more of that is made to fill the parser's memory.
_MAX_OVERHEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that lies on disk until the request ends, and the text fields that came with it."""

    path: Path
    sha256: str
    size: int  # bytes
    media: Media
    fields: dict[str, str]


class FileTarget(BaseTarget):  # type: ignore[misc]  # the library has no types
    """Writes one file part to `path` while hashing it; judges its first bytes."""

    def __init__(self, media: Media, path: Path, files: list["FileTarget"]) -> None:
        super().__init__()
        self.media = media
        self.path = path
        self.files = files  # those of the form so far; each that starts adds itself
        self.size = 0
        self.complete = False
        self._head: bytes | None = b""  # None once it has been judged
        self._sha256 = hashlib.sha256()
        self._file: BinaryIO | None = None

    def on_start(self) -> None:
        self.files.append(self)
        if len(self.files) > 1:
            raise _not_one_file(len(self.files))
        self._file = self.path.open("xb")

    def on_data_received(self, chunk: bytes) -> None:
        assert self._file is not None
        self._file.write(chunk)
        self._sha256.update(chunk)
        self.size += len(chunk)
        if self._head is not None:
            self._head += chunk[:HEAD_BYTES]
            if len(self._head) >= HEAD_BYTES:
                self._judge(self._head)

    def on_finish(self) -> None:
        if self.size == 0:
            raise Refused("empty-file", f"the file in {self.media!r} has no bytes", value=0)
        if self._head is not None:
            self._judge(self._head)
        self.complete = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()

    def _judge(self, head: bytes) -> None:
        self._head = None
        if self.media == "clip" and sniff(head) is None:
            raise Refused(
                "unsupported-clip",
                f"the file does not begin as a video does; send one of {', '.join(NAMES)}",
                limit=list(NAMES),
            )
        if self.media == "tracks" and not head.startswith(_ZIP):
            raise Refused(
                "unsupported-tracks",
                "the file does not begin as a .tracks.npz does; `pointaction track` writes one",
            )


class TextTarget(BaseTarget):  # type: ignore[misc]  # the library has no types
    """Keeps one short text field."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.size = 0
        self.complete = False
        self.started = False
        self._chunks: list[bytes] = []

    def on_start(self) -> None:
        if self.started:
            raise Refused("invalid-field", f"the field {self.name!r} came twice; send it once")
        self.started = True

    def on_data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > _MAX_TEXT_BYTES:
            raise Refused(
                "invalid-field",
                f"the field {self.name!r} has more than {_MAX_TEXT_BYTES} bytes",
                limit=_MAX_TEXT_BYTES,
                value=self.size,
            )
        self._chunks.append(chunk)

    def on_finish(self) -> None:
        self.complete = True

    @property
    def text(self) -> str:
        return b"".join(self._chunks).decode("utf-8", "replace")


@asynccontextmanager
async def receive(request: Request, folder: Path, *, fields: set[str]) -> AsyncIterator[Upload]:
    """Take in one clip or tracks file and the text `fields`.

    The file lies in `folder` while the context lasts, and is gone afterwards unless it was moved
    away; also when the client hangs up midway. Raises Refused with what is wrong.
    """
    form = _Form(request, folder / f"{uuid.uuid4().hex}.part", fields)
    try:
        async for chunk in request.stream():
            form.feed(chunk)
        yield form.finished()
    finally:
        form.close()


class _Form:
    """The parser and its targets, for one request."""

    def __init__(self, request: Request, path: Path, fields: set[str]) -> None:
        self.path = path
        self.files: list[FileTarget] = []
        self.texts = {name: TextTarget(name) for name in sorted(fields)}
        self.names = [*MEDIA, *self.texts]
        self.fed = 0
        files = {media: FileTarget(media, path, self.files) for media in MEDIA}
        self.targets: list[FileTarget | TextTarget] = [*files.values(), *self.texts.values()]
        try:
            self.parser = StreamingFormDataParser(request.headers, strict=True)
        except ParseFailedException as error:
            raise Refused(
                "unsupported-media-type",
                f"{error}; send multipart/form-data with a boundary",
                limit="multipart/form-data",
                value=request.headers.get("content-type"),
            ) from error
        for name, target in zip(self.names, self.targets, strict=True):
            self.parser.register(name, target)

    def feed(self, chunk: bytes) -> None:
        self.fed += len(chunk)
        try:
            self.parser.data_received(chunk)
        except UnexpectedPartException as error:
            name = str(error.part_name)[:80]
            raise Refused(
                "unknown-field",
                f"the field {name!r} is not known; there are {', '.join(self.names)}",
                limit=self.names,
                value=name,
            ) from error
        except ParseFailedException as error:
            raise Refused("malformed-multipart", f"{error}; check the boundary") from error
        if self.fed - sum(target.size for target in self.targets) > _MAX_OVERHEAD_BYTES:
            raise Refused(
                "malformed-multipart",
                f"there are more than {_MAX_OVERHEAD_BYTES} bytes outside the fields",
                limit=_MAX_OVERHEAD_BYTES,
            )

    def finished(self) -> Upload:
        """The upload, once the last chunk was fed."""
        texts = [text for text in self.texts.values() if text.started]
        begun: list[FileTarget | TextTarget] = [*self.files, *texts]
        if not all(target.complete for target in begun):
            raise Refused("malformed-multipart", "the body ends before its last boundary")
        if not self.files:
            raise _not_one_file(0)
        file = self.files[0]
        file.close()
        return Upload(
            path=self.path,
            sha256=file.hexdigest(),
            size=file.size,
            media=file.media,
            fields={text.name: text.text for text in texts},
        )

    def close(self) -> None:
        for file in self.files[:1]:
            file.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


# Tracks files may unpack to some hundred megabytes; so many at a time bound the memory.
_CHECKS_AT_ONCE = 2


class TracksCheck:
    """Reads tracks files through, so that a bad one is refused at once and by its own reason."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, path: Path) -> None:
        """Raises InputError as `Tracks.load` does."""
        if self._limiter is None:  # made here because it belongs to the running event loop
            self._limiter = anyio.CapacityLimiter(_CHECKS_AT_ONCE)
        await anyio.to_thread.run_sync(Tracks.load, path, limiter=self._limiter)


def _not_one_file(count: int) -> Refused:
    return Refused(
        "one-file",
        f"the form has {'more than one file' if count else 'no file'}; send exactly one, "
        "as 'clip' (a video) or as 'tracks' (a .tracks.npz)",
        limit=1,
        value=count,
    )
