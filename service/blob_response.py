"""A blob as an answer: in ranges, so that browsers can seek, and with an ETag."""

import os
from collections.abc import Mapping
from contextlib import ExitStack

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from service.problems import Refused
from workers.blobs import BlobStore


class BlobResponse(FileResponse):
    """Serves a blob that never changes under its name, and so has the name as its ETag."""

    def __init__(
        self,
        blobs: BlobStore,
        name: str,
        *,
        media_type: str,
        filename: str,
        headers: Mapping[str, str],
    ) -> None:
        self.blobs = blobs
        self.name = name
        super().__init__(
            "",  # known once the blob is open
            headers={**headers, "ETag": _etag(name), "Cache-Control": "private, no-cache"},
            media_type=media_type,
            filename=filename,
            content_disposition_type="inline",
        )

    @classmethod
    def of(
        cls,
        blobs: BlobStore,
        name: str,
        *,
        media_type: str,
        filename: str,
        if_none_match: str | None,
        headers: Mapping[str, str],
    ) -> Response:
        """The blob, or 304 when the caller has it already."""
        known = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
        if _etag(name) in known or known == ["*"]:
            return Response(status_code=304, headers={**headers, "ETag": _etag(name)})
        return cls(blobs, name, media_type=media_type, filename=filename, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as stack:
            try:
                # From another machine's store the blob comes as a copy, for as long as this lasts.
                opened = self.blobs.local_path(self.name)
                self.path = await anyio.to_thread.run_sync(stack.enter_context, opened)
                self.stat_result = await anyio.to_thread.run_sync(os.stat, self.path)
            except FileNotFoundError:
                raise Refused("expired", "the file was removed just now; ask again") from None
            self.set_stat_headers(self.stat_result)
            await super().__call__(scope, receive, self._refusing(scope, send))

    def _refusing(self, scope: Scope, send: Send) -> Send:
        """`send`, but a range that cannot be served becomes a problem as every other error."""

        async def refusing(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                assert self.stat_result is not None
                size, asked = self.stat_result.st_size, Headers(scope=scope).get("range")
                raise Refused(
                    "range-not-satisfiable",
                    f"the file has {size} bytes, asked for was {asked}",
                    limit=size,
                    value=asked,
                    headers={"Content-Range": f"bytes */{size}"},
                )
            await send(message)

        return refusing


def _etag(name: str) -> str:
    return f'"{name.rpartition("/")[2]}"'
