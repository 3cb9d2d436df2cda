"""What a decoder can do to us: nothing. The decoders in `hostile` try."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pointaction.errors import DecoderFailure, InputError, LimitExceeded
from pointaction.video import syscalls
from pointaction.video.decode import DecodeLimits, _believable, decode
from pointaction.video.sandbox import Sandbox, _error
from tests.videos import MakeVideo

Hostile = Callable[[str], Sandbox]


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    """A sandbox whose decoder misbehaves in the way that is named."""
    started = []

    def start(name: str) -> Sandbox:
        started.append(Sandbox(("-m", "tests.pointaction.video.hostile", name)))
        return started[-1]

    yield start
    for sandbox in started:
        sandbox.close()


@pytest.fixture
def clip(make_video: MakeVideo) -> Path:
    return make_video()


def test_a_crash_is_told_apart_and_survived(hostile: Hostile, clip: Path) -> None:
    sandbox = hostile("segfault")
    for _ in range(2):
        with pytest.raises(DecoderFailure) as failure:
            decode(clip, sandbox=sandbox)
        assert (failure.value.kind, failure.value.value) == ("decoder-crashed", "SIGSEGV")


def test_a_decoder_that_burns_time_is_stopped(hostile: Hostile, clip: Path) -> None:
    with pytest.raises(LimitExceeded) as failure:
        decode(clip, sandbox=hostile("burn"), limits=DecodeLimits(cpu_s=1))
    assert (failure.value.kind, failure.value.limit) == ("decoding-too-slow", 1)
    assert failure.value.value >= 1


def test_a_decoder_that_sleeps_is_stopped(hostile: Hostile, clip: Path) -> None:
    with pytest.raises(LimitExceeded) as failure:
        decode(clip, sandbox=hostile("sleep"), limits=DecodeLimits(wall_s=0.2))
    assert (failure.value.kind, failure.value.limit) == ("decoding-too-slow", 0.2)


def test_a_decoder_that_hoards_memory_is_stopped(hostile: Hostile, clip: Path) -> None:
    with pytest.raises(LimitExceeded) as failure:
        decode(clip, sandbox=hostile("hoard"), limits=DecodeLimits(memory_mb=50))
    assert failure.value.kind == "decoding-needs-too-much-memory"
    assert failure.value.limit == 50


@pytest.mark.parametrize("memory_mb", [12, 16, 20, 24])
def test_a_clip_too_large_for_the_memory_is_told_so(make_video: MakeVideo, memory_mb: int) -> None:
    large = make_video(size=(1920, 1080), codec_options={"preset": "ultrafast"})
    with pytest.raises(LimitExceeded) as failure:
        decode(large, limits=DecodeLimits(memory_mb=memory_mb))
    assert failure.value.kind == "decoding-needs-too-much-memory"


def test_a_decoder_reaches_no_file_no_socket_and_no_secret(
    hostile: Hostile, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POINTACTION_TEST_SECRET", "password")
    with pytest.raises(InputError) as failure:
        decode(clip, sandbox=hostile("reach_out"))
    assert (failure.value.kind, str(failure.value)) == ("reached", "")


@pytest.mark.skipif(not syscalls.can_refuse(), reason="the system cannot filter system calls")
def test_a_decoder_makes_no_process_and_no_code(hostile: Hostile, clip: Path) -> None:
    with pytest.raises(InputError) as failure:
        decode(clip, sandbox=hostile("reach_further"))
    assert (failure.value.kind, str(failure.value)) == ("reached", "")


def test_a_decoder_that_lies_is_not_believed(hostile: Hostile, clip: Path) -> None:
    with pytest.raises(DecoderFailure, match="no room for that many frames") as failure:
        decode(clip, sandbox=hostile("lie"))
    assert failure.value.kind == "decoder-failed"


SAID = {
    "shape": [1, 8, 8, 3],
    "times": [0.0],
    "source": {"duration_s": 1.0, "frames": 8, "width": 8, "height": 8},
    "stamps": {"first_pts": 0, "last_s": 0.9},
}


@pytest.mark.parametrize(
    "lie",
    [
        {"shape": [-1, -1, 64, 3], "times": []},
        {"shape": [0, 8, 8, 3], "times": []},
        {"shape": [1, 8]},
        {"shape": ["a", None, {}, 3]},
        {"shape": [1, 8, 1e999, 3]},
        {"times": [float("inf")]},
        {"times": [0.0, 1.0]},
        {"times": "now"},
        {"source": None},
        {"source": {"duration_s": float("nan"), "frames": 8, "width": 8, "height": 8}},
        {"stamps": {"first_pts": 0, "last_s": float("inf")}},
        {"stamps": {"first_pts": "early"}},
    ],
)
def test_what_cannot_be_true_of_a_clip_is_not_believed(lie: dict[str, Any]) -> None:
    request = {"frames_bytes": 1000}
    assert _believable(SAID, request)[0] == (1, 8, 8, 3)
    with pytest.raises(DecoderFailure, match="cannot be true"):
        _believable(SAID | lie, request)


@pytest.mark.parametrize(
    "answer",
    [
        {"refused": "__builtins__", "detail": "a", "kind": "b"},
        {"refused": "InputError", "detail": ["a"], "kind": 1},
        {"refused": ["InputError"]},
        {"failed": {}},
    ],
)
def test_no_error_is_raised_that_decoders_do_not_raise(answer: dict[str, Any]) -> None:
    assert type(_error(answer, DecodeLimits())) is DecoderFailure


def test_an_answer_of_brackets_is_a_failure(hostile: Hostile, clip: Path) -> None:
    with pytest.raises(DecoderFailure) as failure:
        decode(clip, sandbox=hostile("brackets"))
    assert failure.value.kind == "decoder-failed"


def test_a_decoder_cannot_write_more_than_its_frames(hostile: Hostile, clip: Path) -> None:
    with pytest.raises(InputError) as failure:
        decode(clip, frames=4, short_side=64, sandbox=hostile("overfill"))
    assert failure.value.kind == "stopped"
    assert failure.value.value <= 8 * 64 * 64 * 3 * 4


def test_a_bug_is_not_blamed_on_limits(hostile: Hostile, clip: Path) -> None:
    with pytest.raises(DecoderFailure, match="this is a bug") as failure:
        decode(clip, sandbox=hostile("stumble"))
    assert failure.value.kind == "decoder-failed"


def test_a_killed_zygote_is_replaced(sandbox: Sandbox, clip: Path) -> None:
    decode(clip, sandbox=sandbox)
    first = sandbox.pid
    assert first
    os.kill(first, signal.SIGKILL)
    assert decode(clip, sandbox=sandbox).frames.any()
    assert sandbox.pid != first
    assert not Path(f"/proc/{first}").exists()  # nor is it left as a zombie


def test_a_zygote_can_be_started_ahead(sandbox: Sandbox, clip: Path) -> None:
    sandbox.start()
    ahead = sandbox.pid
    sandbox.start()
    assert ahead
    decode(clip, sandbox=sandbox)
    assert sandbox.pid == ahead


def test_a_zygote_that_cannot_start_is_an_error_and_no_loop(clip: Path) -> None:
    with pytest.raises(DecoderFailure, match="twice") as failure:
        decode(clip, sandbox=Sandbox(("-c", "pass")))
    assert failure.value.kind == "decoder-crashed"


def test_nothing_is_left_behind_by_many_clips(sandbox: Sandbox, clip: Path, tmp_path: Path) -> None:
    text = tmp_path / "bad.avi"
    text.write_bytes(b"RIFF\0\0\0\0AVI not really")
    decode(clip, sandbox=sandbox)
    ours, theirs = Path("/proc/self/fd"), Path(f"/proc/{sandbox.pid}/fd")
    before = len(list(ours.iterdir())), len(list(theirs.iterdir()))
    for _ in range(25):
        decode(clip, frames=4, short_side=16, sandbox=sandbox)
        with pytest.raises(InputError):
            decode(text, sandbox=sandbox)
    assert (len(list(ours.iterdir())), len(list(theirs.iterdir()))) == before
    children = Path(f"/proc/{sandbox.pid}/task/{sandbox.pid}/children")
    assert children.read_text().split() == []


def test_the_zygote_holds_no_torch_and_one_thread(sandbox: Sandbox, clip: Path) -> None:
    decode(clip, sandbox=sandbox)
    assert "libtorch" not in Path(f"/proc/{sandbox.pid}/maps").read_text()
    assert len(list(Path(f"/proc/{sandbox.pid}/task").iterdir())) == 1


def test_threads_share_a_sandbox(sandbox: Sandbox, make_video: MakeVideo) -> None:
    paths = {count: make_video(f"{count}.mp4", frames=count) for count in range(5, 11)}
    seen: dict[int, int] = {}

    def work(count: int) -> None:
        clip = decode(paths[count], frames=4, short_side=16, sandbox=sandbox)
        seen[count] = clip.source.frames

    threads = [threading.Thread(target=work, args=(count,)) for count in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {count: count for count in paths}


def _decode_in_child(path: Path, sandbox: Sandbox, inherited: int, answer: int) -> None:
    assert sandbox.pid is None  # the parent's is not ours
    decode(path, sandbox=sandbox)
    os.write(answer, str(int(sandbox.pid not in (None, inherited))).encode())
    sandbox.close()


def test_a_forked_daemon_has_its_own_zygote(sandbox: Sandbox, clip: Path) -> None:
    """A Celery worker is a daemonic fork of a process that may have decoded before."""
    decode(clip, sandbox=sandbox)
    inherited = sandbox.pid
    assert inherited
    ours, theirs = os.pipe()
    context = multiprocessing.get_context("fork")
    child = context.Process(
        target=_decode_in_child, args=(clip, sandbox, inherited, theirs), daemon=True
    )
    child.start()
    os.close(theirs)
    assert os.read(ours, 1) == b"1"
    os.close(ours)
    child.join()
    child.close()
    assert sandbox.pid == inherited
    assert decode(clip, sandbox=sandbox).frames.any()


def test_an_interrupted_decode_does_not_answer_for_the_next(
    hostile: Hostile, sandbox: Sandbox, clip: Path
) -> None:
    """As Celery's soft time limit does it: an exception out of a signal handler."""

    class OutOfTime(Exception):
        pass

    def give_up(*_: object) -> None:
        raise OutOfTime

    slow = hostile("sleep")
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(OutOfTime):
            decode(clip, sandbox=slow)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert slow.pid is None


def test_the_zygote_and_its_fork_die_with_their_parent(clip: Path) -> None:
    program = (
        "import sys, threading, time; from pathlib import Path\n"
        "from pointaction.video.decode import decode\n"
        "from pointaction.video.sandbox import Sandbox\n"
        "sandbox = Sandbox(('-m', 'tests.pointaction.video.hostile', 'sleep'))\n"
        "threading.Thread(target=decode, args=(Path(sys.argv[1]),),"
        " kwargs={'sandbox': sandbox}, daemon=True).start()\n"
        "while not sandbox.pid: time.sleep(0.01)\n"
        "children = Path(f'/proc/{sandbox.pid}/task/{sandbox.pid}/children')\n"
        "while not children.read_text().split(): time.sleep(0.01)\n"
        "print(sandbox.pid, children.read_text(), flush=True); time.sleep(60)\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", program, str(clip)], stdout=subprocess.PIPE, cwd=root
    ) as parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
    deadline = time.monotonic() + 5
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(_alive(pid) for pid in pids)


def _alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
