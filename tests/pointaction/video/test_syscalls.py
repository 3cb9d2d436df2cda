import os
import socket
from pathlib import Path

import pytest

from pointaction.video import syscalls

HEADERS = {  # where the system has the kernel's, for programs to be compiled
    0: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    1: Path("/usr/include/asm-generic/unistd.h"),
}


def test_asking_for_the_filter_does_not_install_it() -> None:
    syscalls.can_refuse()
    with socket.socket():
        assert os.stat("/").st_size


def test_a_machine_that_is_not_known_has_no_filter() -> None:
    assert syscalls._program("riscv64") == b""
    assert len(syscalls._program("x86_64")) == len(syscalls._program("aarch64")) > 0


@pytest.mark.parametrize("which", HEADERS)
def test_the_numbers_are_the_kernels(which: int) -> None:
    if not HEADERS[which].exists():
        pytest.skip("the kernel's headers are not installed")
    lines = (line.split() for line in HEADERS[which].read_text().splitlines())
    defined = {words[1]: words[2] for words in lines if words[:1] == ["#define"] and words[2:]}
    calls = syscalls._ALLOWED | {
        "mmap": syscalls._MMAP,
        "mprotect": syscalls._MPROTECT,
        "clone": syscalls._CLONE,
        "clone3": syscalls._CLONE3,
    }
    for name, numbers in calls.items():
        number = defined.get(f"__NR_{name}")
        if (
            number is None or not number.isdecimal()
        ):  # of those that differ where words have 32 bits
            number = defined[f"__NR3264_{name}"]
        assert int(number) == numbers[which], name
