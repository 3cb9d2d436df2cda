"""Run what the images run, the way they run it, on a machine without Docker.

    make containers        or: python docker/try_without_docker.py [--api-only]

Takes the steps from the Dockerfiles and compose.yaml themselves: copies what .dockerignore lets
through, installs it into an environment of its own with the extras of service.Dockerfile, starts
both Redis with the command of compose.yaml, the API (without torch) and a worker (with the packages
that this program runs with) by their ENTRYPOINT and CMD, asks their HEALTHCHECKs, classifies a
clip, and stops them as `docker stop` does; then a worker for data sets and the command that it
follows clips for, by the words of compose.yaml. As root on Linux: as the images' user, without a
capability, on a file system that cannot be written to but for /tmp, the data folders and the store.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import yaml
from redis import RedisError
from rich.console import Console

from workers.embedded import redis_server
from workers.redis import connect

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "moving_left.mp4"
PASSWORD = "a-password-for-this-try"
PORTS = {"broker": 16379, "cache": 16380, "api": 18000}
_PATIENCE_S = 120.0
_IN_IMAGE = "/opt/pointaction"  # where the Dockerfiles put the packages

# $1: the one folder that may be written to; $2: the user; $3: where Python lies; then what to run.
# Python may lie where only root may look: then that folder shows nothing else.
_CONFINE = """
writable=$1 user=$2 python=$3; shift 3
mount --bind "$writable" "$writable"
mount -t tmpfs -o mode=1777,size=1g tmpfs /tmp
become="setpriv --reuid $user --regid $user --clear-groups"
if ! $become test -x "$python/bin/python3"; then
    mkdir /tmp/python
    mount --bind "$python" /tmp/python
    mount -t tmpfs -o mode=755 tmpfs "/$(echo "$python" | cut -d/ -f2)"
    mkdir -p "$python"
    mount --move /tmp/python "$python"
    rmdir /tmp/python
fi
mount -o remount,bind,ro /
exec $become --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
"""
out = Console(highlight=False, markup=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--api-only", action="store_true", help="no worker, and so no clip")
    api_only = parser.parse_args().api_only
    with ExitStack() as stack:
        # Not in /tmp, which the programs see empty, as in their containers.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        folder.chmod(0o755)
        service, worker = (Image.read(name) for name in ("service", "worker"))
        packages = _install(service, folder)
        _say_whether_torch(packages)
        for name in ("broker", "cache"):
            stack.enter_context(_redis(name, folder))
        key = _first_key(packages)
        api = stack.enter_context(_running(service, "api", packages, folder))
        if not api_only:
            ours = Path(sys.prefix)
            work = stack.enter_context(_running(worker, "worker", ours, folder))
            _classify(key)
            work.stop()
            _follow(worker, folder)
        api.stop()


@dataclass(frozen=True)
class Image:
    """What a Dockerfile says of what is installed first, and of how it is run."""

    extras: str  # as pip takes them: .[service,...]
    user: str
    environment: dict[str, str]
    command: list[str]  # ENTRYPOINT and CMD
    health: list[str]

    @classmethod
    def read(cls, name: str) -> "Image":
        text = (ROOT / "docker" / f"{name}.Dockerfile").read_text().replace("\\\n", " ")
        environment = _found(r"^ENV (.*POINTACTION_DATA_DIR.*)$", text)
        return cls(
            extras=_found(r"pip install '(\S+)'", text),
            user=_found(r"^USER (\d+):", text),
            environment=dict(word.split("=", 1) for word in shlex.split(environment)),
            command=_words("ENTRYPOINT", text) + _words("CMD", text),
            health=_words("HEALTHCHECK.* CMD", text),
        )


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.M)
    return found[1] if found else sys.exit(f"no {pattern} in {text[:200]}")


def _words(instruction: str, text: str) -> list[str]:
    """Those of an instruction in its JSON form."""
    return list(json.loads(_found(rf"^{instruction} (\[.*\])$", text)))


def _install(image: Image, folder: Path) -> Path:
    """The build stage: an environment with the image's extras and nothing else."""
    source, packages = folder / "source", folder / "packages"
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            _copy(ROOT / line[1:], source / line[1:])
    subprocess.run([sys.executable, "-m", "venv", packages], check=True)
    pip = [
        str(packages / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-q",
    ]
    subprocess.run([*pip, image.extras], cwd=source, check=True)
    out.print(f"installed {image.extras}: {_megabytes(packages)} MB")
    return packages


def _copy(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _megabytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*")) // 1_000_000


def _say_whether_torch(packages: Path) -> None:
    heavy = ("torch", "cv2", "av", "transformers")
    program = f"import importlib.util as i; print(*[n for n in {heavy} if i.find_spec(n)])"
    done = subprocess.run(
        [packages / "bin" / "python", "-c", program], capture_output=True, text=True, check=True
    )
    there = done.stdout.split()
    out.print(f"of {', '.join(heavy)} the API has: {', '.join(there) or 'none'}")
    if there:
        sys.exit(1)


@contextmanager
def _redis(name: str, folder: Path) -> Iterator[None]:
    """With the command of compose.yaml, which hands the password over by standard input."""
    data = folder / name
    data.mkdir()
    conf = (ROOT / "docker" / f"redis-{name}.conf").read_text()
    for ours, here in (("dir /data", f"dir {data}"), ("port 6379", f"port {PORTS[name]}")):
        conf = conf.replace(ours, here)
    (data / "redis.conf").write_text(conf)
    *shell, script = _service(name)["command"]
    script = script.replace("$$", "$").replace("/etc/redis.conf", str(data / "redis.conf"))
    path = f"{redis_server().parent}:{os.environ['PATH']}"
    with (data / "log").open("wb") as log:
        server = subprocess.Popen(
            [*shell, script],
            env={**os.environ, "REDIS_PASSWORD": PASSWORD, "PATH": path},
            stdout=log,
            stderr=log,
        )
    try:
        with connect(_url(name)) as client:
            _until(lambda: bool(client.ping()), name, data / "log")
        yield
    finally:
        server.terminate()
        server.wait(timeout=30)
        out.print(f"{name}: stopped, exit code {server.returncode}")


def _service(name: str) -> dict[str, Any]:
    """Of compose.yaml."""
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    service: dict[str, Any] = compose["services"][name]
    return service


def _url(name: str) -> str:
    return f"redis://:{PASSWORD}@127.0.0.1:{PORTS[name]}/0"


def _first_key(packages: Path) -> str:
    """Made as an operator makes it; without one the API would not start."""
    done = subprocess.run(
        [packages / "bin" / "pointaction", "keys", "create", "somebody"],
        env={**os.environ, "POINTACTION_BROKER_URL": _url("broker")},
        capture_output=True,
        text=True,
        check=True,
    )
    out.print("pointaction keys create: made one")
    return _found(r"(pa_\S+)", done.stdout)


@dataclass(frozen=True)
class Running:
    """A program of an image."""

    name: str
    process: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """As `docker stop` does; the program ends when it does not go well."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=150)
        out.print(f"{self.name}: SIGTERM, exit code {code} in {time.monotonic() - began:.1f} s")
        if code:
            sys.exit(1)


@contextmanager
def _running(image: Image, name: str, packages: Path, folder: Path) -> Iterator[Running]:
    """ENTRYPOINT and CMD, until its HEALTHCHECK passes; killed on leaving, if it runs still."""
    writable = folder / "writable"
    data = writable / name
    for each in (writable, writable / "blobs", data):
        each.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(each, int(image.user), int(image.user))
    environment = _environment(image, packages, data)
    log = folder / f"{name}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*_confined(writable, image.user), *image.command],
            env=environment,
            cwd=data,
            stdout=stream,
            stderr=stream,
        )
    try:
        _until(lambda: process.poll() is not None or _healthy(image, environment), name, log)
        if process.poll() is not None:
            sys.exit(f"{name} has ended:\n{log.read_text()[-3000:]}")
        user, rights = _identity(process.pid)
        out.print(f"{name}: HEALTHCHECK passes; user {user}, capabilities {rights}")
        yield Running(name, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _environment(image: Image, packages: Path, data: Path) -> dict[str, str]:
    """That of the image, and what compose.yaml tells besides."""
    return image.environment | {
        "PATH": f"{packages / 'bin'}:{os.environ['PATH']}",
        "POINTACTION_DATA_DIR": str(data),
        "POINTACTION_BROKER_URL": _url("broker"),
        "POINTACTION_CACHE_URL": _url("cache"),
        "POINTACTION_BLOB_URL": str(data.parent / "blobs"),
        "POINTACTION_PORT": str(PORTS["api"]),
    }


def _confined(writable: Path, user: str) -> list[str]:
    if os.geteuid() != 0:
        out.print("not root: run as this user, on a file system that can be written to")
        return []
    shell = ["unshare", "--mount", "--", "sh", "-ec", _CONFINE, "sh"]
    return [*shell, str(writable), user, sys.base_prefix]


def _healthy(image: Image, environment: Mapping[str, str]) -> bool:
    command = [word.replace(":8000", f":{PORTS['api']}") for word in image.health]
    command[0] = str(shutil.which(command[0], path=environment["PATH"]))
    done = subprocess.run(command, env=environment, capture_output=True, timeout=30)
    return done.returncode == 0


def _identity(pid: int) -> tuple[str, str]:
    """User id, and effective capabilities as a number in hexadecimal, of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    facts = dict(line.split(":", 1) for line in lines)
    return facts["Uid"].split()[0], facts["CapEff"].strip()


def _classify(key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Prefer": "wait=60"}
    answer = httpx.post(
        f"http://127.0.0.1:{PORTS['api']}/classify",
        files={"clip": CLIP.read_bytes()},
        headers=headers,
        timeout=90,
    )
    label = answer.json()["predictions"][0]["label"] if answer.status_code == 200 else answer.text
    out.print(f"POST /classify: {answer.status_code}, {label}")
    if answer.status_code != 200:
        sys.exit(1)


def _follow(image: Image, folder: Path) -> None:
    """A data set of one clip, in a folder that may not be written to."""
    clips, writable = folder / "clips", folder / "writable"
    clips.mkdir()
    shutil.copy(CLIP, clips)
    packages, name = Path(sys.prefix), "worker-extract"
    taking = replace(image, command=[*image.command[:1], *_service(name)["command"]])
    with _running(taking, name, packages, folder) as work:
        words = [str(clips), "-o", str(writable / name / "store"), "--queue"]
        done = subprocess.run(
            [*_confined(writable, image.user), *_service("extract")["entrypoint"], *words],
            env=_environment(image, packages, writable / name),
            cwd=writable / name,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
        said = " ".join(done.stdout.split()) or done.stderr[-3000:]
        out.print(f"pointaction extract --queue: {said.rpartition(': ')[2]}")
        if done.returncode:
            sys.exit(1)
        work.stop()


def _until(holds: Callable[[], bool], name: str, log: Path) -> None:
    """Wait for it; the program ends, and shows the log, when it does not come to be."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            if holds():
                return
        except RedisError:
            pass
        time.sleep(0.5)
    out.print(log.read_text()[-3000:])
    sys.exit(f"{name} did not start")


if __name__ == "__main__":
    main()
