"""Uploads go to disk as they come in, hashed on the way, and are refused as early as can be.

The multipart parser is fed chunk by chunk and hands the bytes of each part to a `FilePart` or a
`TextPart`; nothing but short texts and tiny files is held in memory. That happens in a thread, so
that a form of thousands of parts holds nobody else up.
"""

import hashlib
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from pointaction.errors import InputError
from pointaction.tracks import Tracks
from pointaction.video.container import NAMES, sniff
from service.problems import Refused
from workers.making import Media

MEDIA: tuple[Media, ...] = ("clip", "tracks")
MAX_TEXT_BYTES = 256
MAX_NAME_LENGTH = 255
_TAKEN = {"clip": "'clip' (a video)", "tracks": "'tracks' (a .tracks.npz)"}
_ZIP = b"PK\x03\x04"
_IN_MEMORY_BYTES = 4096  # what is smaller waits for the rest of its form before it is written
_AT_ONCE_BYTES = 16 * 1024  # of a form, are looked at as they come; the rest in larger pieces
_TOGETHER_BYTES = 256 * 1024
# Boundaries and part headers, of a form and for each of its parts. A body that has more of that is
# made to keep the parser busy.
_MAX_OVERHEAD_BYTES = 64 * 1024
_OVERHEAD_OF_A_PART = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that lies on disk until the request ends."""

    path: Path
    sha256: str
    size: int  # bytes
    media: Media
    name: str  # as it was sent: a text to show, never a path
    number: int  # from 1, in the order of the form


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(File):
    """The one file of a form, and the text fields that came with it."""

    fields: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The files of a form, and the text fields that came with them."""

    files: list[File]
    fields: dict[str, str]
    lists: dict[str, list[str]]  # of the fields that may be repeated, all values in their order


class FilePart:
    """Writes one file to `path` while hashing it, once its first bytes are those of a good one.

    With no `media` they tell which it is. `subject` is what problems call the file, and `more`
    what they have to say of it beside that.
    """

    def __init__(
        self, path: Path, media: Media | None, *, name: str, number: int, subject: str, more: Any
    ) -> None:
        self.path = path
        self.media = media
        self.name = name
        self.number = number
        self.subject = subject
        self.more = more
        self.size = 0
        self._head: bytes | None = b""  # None once it has been judged
        self._sha256 = hashlib.sha256()
        self._file: BinaryIO | None = None

    def take(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self.size += len(chunk)
        if self._head is None:
            self._write(chunk)
            return
        self._head += chunk
        if len(self._head) >= _IN_MEMORY_BYTES:
            self._accept()

    def end(self) -> None:
        """A file so small that nothing was written stays in memory until `settle`."""
        if self.size == 0:
            raise self._refused("empty-file", "has no bytes", value=0)
        if self._head is not None:
            self._judge(self._head)
        self._close()

    def settle(self) -> None:
        """To be called when the whole form is there: now all of the file is at `path`."""
        if self._head is not None:
            self._accept()
            self._close()

    def remove(self) -> None:
        """Leave nothing behind."""
        self._close()
        with suppress(FileNotFoundError):
            self.path.unlink()

    def facts(self) -> dict[str, Any]:
        """Of a `File`."""
        return {
            "path": self.path,
            "sha256": self._sha256.hexdigest(),
            "size": self.size,
            "media": self.media,
            "name": self.name,
            "number": self.number,
        }

    def _accept(self) -> None:
        head, self._head = self._head or b"", None
        self._judge(head)
        self._write(head)

    def _write(self, chunk: bytes) -> None:
        if self._file is None:
            self._file = self.path.open("xb")
        self._file.write(chunk)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _judge(self, head: bytes) -> None:
        video, packed = sniff(head) is not None, head.startswith(_ZIP)
        if self.media is None and not video and not packed:
            raise self._refused(
                "unsupported-clip",
                f"begins neither as a video ({', '.join(NAMES)}) nor as a .tracks.npz",
                limit=[*NAMES, "tracks.npz"],
            )
        if self.media == "clip" and not video:
            raise self._refused(
                "unsupported-clip",
                f"does not begin as a video does; send one of {', '.join(NAMES)}",
                limit=list(NAMES),
            )
        if self.media == "tracks" and not packed:
            raise self._refused(
                "unsupported-tracks",
                "does not begin as a .tracks.npz does; `pointaction track` writes one",
            )
        self.media = self.media or ("clip" if video else "tracks")

    def _refused(self, kind: str, fault: str, **found: Any) -> Refused:
        return Refused(kind, f"{self.subject} {fault}", more=self.more, **found)


class TextPart:
    """Keeps one short text."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.text = ""  # once it has ended
        self._bytes = b""

    def take(self, chunk: bytes) -> None:
        self._bytes += chunk
        if len(self._bytes) > MAX_TEXT_BYTES:
            raise Refused(
                "invalid-field",
                f"{self.subject} has more than {MAX_TEXT_BYTES} bytes",
                limit=MAX_TEXT_BYTES,
                value=len(self._bytes),
            )

    def end(self) -> None:
        try:
            self.text = self._bytes.decode()
        except UnicodeDecodeError as error:
            raise Refused("invalid-field", f"{self.subject} is not UTF-8; send that") from error


@asynccontextmanager
async def receive(
    request: Request,
    folder: Path,
    *,
    fields: Collection[str],
    media: Collection[Media] = MEDIA,
) -> AsyncIterator[Upload]:
    """Take in one file, of the field that is its `media`, and the text `fields`.

    The file lies in `folder` while the context lasts, and is gone afterwards unless it was moved
    away; also when the client hangs up midway. Raises Refused with what is wrong.
    """
    files: dict[str, Media | None] = {each: each for each in media}
    async with _received(_Form(request, folder, files=files, fields=fields)) as form:
        if not form.files:
            raise form.not_one_file(0)
        yield Upload(**form.files[0].facts(), fields=form.fields())


@asynccontextmanager
async def receive_many(
    request: Request,
    folder: Path,
    *,
    files: str,
    lists: Collection[str],
    fields: Collection[str],
    at_most: int,
) -> AsyncIterator[Batch]:
    """As `receive`, but for any number of files in the field `files`, clips or tracks as they are.

    Each of `lists` is a text field that may be repeated, too; `at_most` holds for each of them.
    """
    form = _Form(request, folder, files={files: None}, fields=fields, lists=lists, at_most=at_most)
    async with _received(form):
        yield Batch(
            files=[File(**file.facts()) for file in form.files],
            fields=form.fields(),
            lists={name: [part.text for part in form.texts[name]] for name in lists},
        )


@asynccontextmanager
async def _received(form: "_Form") -> "AsyncIterator[_Form]":
    """The whole form, fed from its request: first as it comes, which tells what will be refused,
    then many chunks as one, since a thread takes longer to be called than to take one in.
    """
    kept, fed = bytearray(), 0
    try:
        async for chunk in form.request.stream():
            kept += chunk
            if fed < _AT_ONCE_BYTES or len(kept) >= _TOGETHER_BYTES:
                await anyio.to_thread.run_sync(form.feed, bytes(kept))
                fed += len(kept)
                kept.clear()
        await anyio.to_thread.run_sync(form.finish, bytes(kept))
        yield form
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(form.close)


class _Form:
    """The parser and the parts that it has begun, for one request.

    `files` are the fields that hold files, and what these must be; None: whatever they are.
    """

    def __init__(
        self,
        request: Request,
        folder: Path,
        *,
        files: Mapping[str, Media | None],
        fields: Collection[str],
        lists: Collection[str] = (),
        at_most: int = 1,
    ) -> None:
        self.request = request
        self.folder = folder
        self.media = files
        self.at_most = at_most
        self.lists = lists
        self.files: list[FilePart] = []
        self.texts: dict[str, list[TextPart]] = {name: [] for name in sorted([*fields, *lists])}
        self.names = [*files, *self.texts]
        self._fed = self._taken = self._begun = 0  # bytes, bytes and parts
        self._part: FilePart | TextPart | None = None
        self._header = [b"", b""]  # name and value
        self._disposition = b""
        self._ended = False
        self._parser = self._open_parser()

    def _open_parser(self) -> MultipartParser:
        stated = self.request.headers.get("content-type")
        media_type, options = parse_options_header(stated)
        try:
            if media_type != b"multipart/form-data" or not options.get(b"boundary"):
                raise FormParserError("there is no form")
            return MultipartParser(
                options[b"boundary"],
                {
                    "on_part_data": self._on_data,
                    "on_part_end": self._on_part_end,
                    "on_header_begin": self._on_header_begin,
                    "on_header_field": self._on_header_name,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise Refused(
                "unsupported-media-type",
                f"{error}; send multipart/form-data with a boundary",
                limit="multipart/form-data",
                value=stated,
            ) from error

    def feed(self, chunk: bytes) -> None:
        self._fed += len(chunk)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Refused("malformed-multipart", f"{error}; check the boundary") from error
        most = _MAX_OVERHEAD_BYTES + self._begun * _OVERHEAD_OF_A_PART
        if self._fed - self._taken > most:
            raise Refused(
                "malformed-multipart",
                f"there are more than {most} bytes outside the fields",
                limit=most,
            )

    def finish(self, rest: bytes) -> None:
        """Feed the last of it."""
        self.feed(rest)
        if not self._ended:
            raise Refused("malformed-multipart", "the body ends before its last boundary")
        for file in self.files:
            file.settle()

    def fields(self) -> dict[str, str]:
        """The fields that came, of those that may come once."""
        return {
            name: parts[0].text
            for name, parts in self.texts.items()
            if parts and name not in self.lists
        }

    def close(self) -> None:
        for file in self.files:
            file.remove()

    def _on_header_begin(self) -> None:
        self._header = [b"", b""]

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _on_header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]

    def _on_headers(self) -> None:
        disposition, options = parse_options_header(self._disposition)
        self._disposition = b""
        if disposition != b"form-data" or b"name" not in options:
            raise Refused("malformed-multipart", "a part has no name; let a library write the form")
        self._begun += 1
        field = options[b"name"].decode(errors="replace")
        if field in self.media:
            self._part = self._begin_file(field, options.get(b"filename", b""))
        elif field in self.texts:
            self._part = self._begin_text(field)
        else:
            raise Refused(
                "unknown-field",
                f"the field {field[:80]!r} is not known; there are {', '.join(self.names)}",
                limit=self.names,
                value=field[:80],
            )

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        assert self._part is not None
        self._taken += end - start
        self._part.take(data[start:end])

    def _on_part_end(self) -> None:
        assert self._part is not None
        self._part.end()

    def _on_end(self) -> None:
        self._ended = True

    def _begin_file(self, field: str, sent_name: bytes) -> FilePart:
        name, number = sent_name.decode(errors="replace")[:MAX_NAME_LENGTH], len(self.files) + 1
        alone = self.at_most == 1
        if number > self.at_most:
            raise self.not_one_file(number) if alone else self._too_many("files")
        part = FilePart(
            self.folder / f"{uuid.uuid4().hex}.part",
            self.media[field],
            name=name,
            number=number,
            subject="the file" if alone else called(number, name),
            more=None if alone else told(number, name),
        )
        self.files.append(part)
        return part

    def _begin_text(self, field: str) -> TextPart:
        parts = self.texts[field]
        repeated = field in self.lists
        if parts and not repeated:
            raise Refused("invalid-field", f"the field {field!r} came twice; send it once")
        if len(parts) == self.at_most and repeated:
            raise self._too_many(field)
        number = f", number {len(parts) + 1}," if repeated else ""
        parts.append(TextPart(f"the field {field!r}{number}"))
        return parts[-1]

    def not_one_file(self, count: int) -> Refused:
        taken = " or ".join(_TAKEN[name] for name in self.media)
        return Refused(
            "one-file",
            f"the form has {'more than one file' if count else 'no file'}; send exactly one, "
            f"as {taken}",
            limit=1,
            value=count,
        )

    def _too_many(self, what: str) -> Refused:
        return Refused(
            "too-many-parts",
            f"a form has up to {self.at_most} {what}, this has more; send them in several",
            limit=self.at_most,
            value=self.at_most + 1,  # those that may follow have not been looked at
        )


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

    async def of_many(self, files: Collection[File]) -> None:
        """Those of the files that are tracks; Refused names the one that is bad."""
        for file in files:
            if file.media == "tracks":
                try:
                    await self(file.path)
                except InputError as error:
                    raise Refused(
                        error.kind,
                        f"{called(file.number, file.name)}: {error}",
                        limit=error.limit,
                        value=error.value,
                        more=told(file.number, file.name),
                    ) from error


def called(number: int, name: str) -> str:
    """How problems call one of several files."""
    return f"file {number} ({name!r})" if name else f"file {number}"


def told(number: int, name: str) -> dict[str, Any]:
    """The same for programs."""
    return {"file": {"number": number, "name": name}}
