"""Machines that are none: network namespaces on a bridge, each with an address and a name.

They and what runs on them end with this process. Nothing of it is seen from outside: this process
has to be in a network namespace of its own, as `unshare --map-root-user --net` gives one.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from workers.parenthood import die_with_parent

# 192.0.2.0/24 is kept for examples (RFC 5737): nobody has these addresses.
_NETWORK = "192.0.2"
_BRIDGE = "pointaction0"
_HOLD = "import signal, socket, sys; socket.sethostname(sys.argv[1]); print(); signal.pause()"


@dataclass
class Host:
    """One machine: what is started on it has its own network and its own name."""

    name: str
    address: str
    holder: "subprocess.Popen[bytes]"  # the namespaces last as long as it does
    folder: Path  # its disk
    programs: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(
        self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a program, whose output goes to `log`. Call from a thread that lasts."""
        enter = ["nsenter", "--target", str(self.holder.pid), "--net", "--uts", "--"]
        with self.log.open("ab") as log:
            program = subprocess.Popen(
                [*enter, *map(str, command)],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        self.programs.append(program)
        return program

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def stop(self) -> None:
        for program in self.programs:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        self.holder.kill()
        self.holder.wait()


class Lan:
    """A bridge in this process's network, and hosts on it. Use as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts: dict[str, Host] = {}

    def __enter__(self) -> "Lan":
        if subprocess.run(["ip", "route"], check=True, capture_output=True).stdout:
            sys.exit(
                "start it as `unshare --map-root-user --net ...`: it needs a network to itself"
            )
        _ip("link set lo up")
        _ip(f"link add {_BRIDGE} type bridge")
        _ip(f"addr add {_NETWORK}.1/24 dev {_BRIDGE}")
        _ip(f"link set {_BRIDGE} up")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for host in self.hosts.values():
            host.stop()
        _ip(f"link del {_BRIDGE}")

    def add(self, name: str) -> Host:
        """A new machine, with an empty disk."""
        holder = subprocess.Popen(
            ["unshare", "--net", "--uts", "--", sys.executable, "-c", _HOLD, name],
            stdout=subprocess.PIPE,
            preexec_fn=die_with_parent(),
        )
        assert holder.stdout
        if not holder.stdout.readline():  # it says so when it has its namespaces
            sys.exit(f"no namespaces for {name}")
        address = f"{_NETWORK}.{10 + len(self.hosts)}"
        folder = self.folder / name
        folder.mkdir()
        host = self.hosts[name] = Host(name, address, holder, folder)
        cable = f"to{len(self.hosts)}"
        _ip(f"link add {cable} type veth peer name eth0 netns {holder.pid}")
        _ip(f"link set {cable} master {_BRIDGE} up")
        inside = ["nsenter", "--target", str(holder.pid), "--net", "--"]
        _ip("link set lo up", inside)
        _ip(f"addr add {address}/24 dev eth0", inside)
        _ip("link set eth0 up", inside)
        return host


def _ip(words: str, before: Sequence[str] = ()) -> None:
    subprocess.run([*before, "ip", *words.split()], check=True)
