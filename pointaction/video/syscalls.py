"""The system calls that decoding needs, and a filter by which the kernel refuses all others.

A decoder that someone has taken over can then compute, and read and write what is open already. No
file, no socket, no other program and no other process is within its reach, whatever limits may
have been forgotten. Called for in vain, they fail with EPERM, as if the process had no right to.

The filter is seccomp's (Linux, `man 2 seccomp`), in the kernel's own small language: it needs no
library and no privilege, also inside containers. Numbers: arch/x86/entry/syscalls/syscall_64.tbl
and include/uapi/asm-generic/unistd.h of Linux.
"""

import ctypes
import errno
import platform
import struct
import sys

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUALS, _HAS_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP..., BPF_RET
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD, _PROT_EXEC = 0x10000, 0x4

# By the name that the machine gives itself: what the kernel calls it (AUDIT_ARCH_*), and which
# number of the pairs below is its own.
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_ALLOWED = {
    # what is open
    "read": (0, 63),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "write": (1, 64),
    "pwrite64": (18, 68),
    # memory
    "brk": (12, 214),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    # threads, of which decoders start some
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # signals that come
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    # time and chance
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "getrandom": (318, 278),
}
_MMAP, _MPROTECT = (9, 222), (10, 226)
_CLONE, _CLONE3 = (56, 220), (435, 435)


def refuse_others() -> bool:
    """From now on this process and its threads have these calls and no others; False where the
    system has no such filter. To be called when PR_SET_NO_NEW_PRIVS is set.
    """
    return bool(_PROGRAM) and _prctl(ctypes.byref(_Program.of(_PROGRAM))) == 0


def can_refuse() -> bool:
    """Whether this system has the filter. Nothing is changed by asking."""
    if not _PROGRAM:
        return False
    _prctl(None)
    return ctypes.get_errno() == errno.EFAULT  # it would take one, had we given it; else EINVAL


def _prctl(program: object) -> int:
    call = ctypes.CDLL(None, use_errno=True).prctl
    return int(call(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0))


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    @classmethod
    def of(cls, steps: bytes) -> "_Program":
        return cls(len(steps) // 8, steps)


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """struct sock_filter; `then` and `otherwise` are how many steps a comparison skips."""
    return struct.pack("HBBI", code, then, otherwise, value)


_LET = _step(_RETURN, _ALLOW)
_REFUSE = _step(_RETURN, _ERRNO | errno.EPERM)


def _for(number: int, *steps: bytes) -> bytes:
    """Steps for one call, after which others are looked at."""
    return _step(_EQUALS, number, otherwise=len(steps)) + b"".join(steps)


def _argument(index: int) -> bytes:
    """Load the lower half of an argument; both machines are little-endian."""
    return _step(_LOAD, _ARGUMENTS + 8 * index)


def _program(machine: str) -> bytes:
    """The filter for a machine; empty for those that are not known here."""
    if sys.platform != "linux" or machine not in _MACHINES:
        return b""
    architecture, which = _MACHINES[machine]
    # Memory is for data: nothing that a clip brings with it can be run.
    no_code = (_argument(2), _step(_HAS_BITS, _PROT_EXEC, then=1), _LET, _REFUSE)
    threads_only = (_argument(0), _step(_HAS_BITS, _CLONE_THREAD, otherwise=1), _LET, _REFUSE)
    return b"".join(
        [
            _step(_LOAD, _ARCHITECTURE),
            _step(_EQUALS, architecture, then=1),
            _REFUSE,
            _step(_LOAD, _NUMBER),
            *(_for(numbers[which], _LET) for numbers in _ALLOWED.values()),
            _for(_MMAP[which], *no_code),
            _for(_MPROTECT[which], *no_code),
            _for(_CLONE[which], *threads_only),
            # Its arguments lie where a filter cannot look. Told that it does not exist, the C
            # library takes the one above.
            _for(_CLONE3[which], _step(_RETURN, _ERRNO | errno.ENOSYS)),
            _REFUSE,
        ]
    )


_PROGRAM = _program(platform.machine())
