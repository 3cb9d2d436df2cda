"""What the command and the workers tell each other of clips, and a data set that goes through the
queue whatever dies. Real Redis, real worker processes.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from pointaction.errors import InputError
from pointaction.extraction import commands
from pointaction.extraction.extract import Estimate, extract
from pointaction.extraction.follower import Failure, How
from pointaction.extraction.order import in_order
from pointaction.extraction.sources import Wanted, read_source
from pointaction.methods import Running
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.synthetic.sample import write_sample
from pointaction.trackstore.manifest import MIXED
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter
from pointaction.video.cut import Cut
from tests.pointaction.trackstore.stores import contents
from tests.s3 import local_s3
from tests.workers.conftest import Bench, kill, wait_until
from tests.workers.extracting import followed, open_scripted
from tests.workers.scripted import ScriptedLibrary
from workers.clips import Errand, run_clip
from workers.desk import HOW, WANTED, RedisDesk, packed, unpacked, what
from workers.extraction import by_queue, queue_followers
from workers.launch import WorkerProcess, environment
from workers.presence import alive_for, beat
from workers.process import Process
from workers.scheduler import Ended, Opened

HOW_ = How(tracks=6)


def clip(key: str) -> Wanted:
    return Wanted(key=key, path=Path(f"/clips/{key}.mp4"), label="a", about={"source": key})


def attempt(number: int, key: str = "fine", *, attempt: int = 1) -> Opened:
    return Opened(number, attempt, clip(key))


@pytest.fixture
def desk(bench: Bench) -> Iterator[RedisDesk]:
    desk = RedisDesk(bench.settings, HOW_, of="store shard")
    desk.keep()
    yield desk
    desk.close()


@pytest.fixture
def process(bench: Bench) -> Process:
    library = ScriptedLibrary(bench.settings)
    return Process(bench.settings, library, open_following=open_scripted)


def begun(bench: Bench) -> list[str]:
    path = bench.settings.data_dir / "begun"
    return [line.split()[1] for line in path.read_text().splitlines()] if path.exists() else []


def test_a_clip_and_how_it_is_followed_arrive_as_they_were_sent() -> None:
    piece = Wanted(
        key="a/b",
        path=Path("/x.tar"),
        inside=(512, 10),
        label=None,
        cut=Cut(start=0.1, end=1 / 3),
        about={"source": "ä", "list": [1, None, {"deep": 0.1}]},
    )
    how = How(tracks=9, cut=Cut(every=True), running=Running(precision="bfloat16"))
    assert WANTED.validate_json(WANTED.dump_json(piece)) == piece
    assert HOW.validate_json(HOW.dump_json(how)) == how
    members = {"tracks": b"\n{}\x00", "json": b"", "features": b"ab"}
    assert list(unpacked(packed(members)).items()) == list(members.items())


def test_an_attempt_is_given_out_once_and_told_once(
    bench: Bench, desk: RedisDesk, process: Process
) -> None:
    desk.open([attempt(0), attempt(1, "refuse"), attempt(2, "break")])
    assert not desk.idle()
    for number in (0, 0, 1, 2, 7):
        run_clip(process, desk.keys.run, number, 1)
    assert begun(bench) == ["fine", "refuse", "break"]
    fine, refused, broken = desk.ended(0)
    assert fine == Ended(0, followed(clip("fine")))
    assert refused.result == Failure(
        key="refuse", source="refuse", kind="unsupported-clip", detail="it is too dark"
    )
    assert isinstance(broken.result, Failure)
    assert broken.result.kind == "internal"
    assert "ZeroDivisionError" in broken.result.detail
    assert desk.ended(0) == []
    assert desk.ended(0.01) == []
    assert not bench.cache.redis.keys("extract:*")


def test_whose_lease_has_ended_has_lost_its_clip_to_the_next_attempt(
    bench: Bench, desk: RedisDesk, process: Process
) -> None:
    short = process.settings.model_copy(update={"lease_s": 0.05})
    hasty = Process(short, process.library, open_following=open_scripted)
    desk.open([attempt(0)])
    slow = Errand.claim(hasty, desk.keys.run, 0, 1)
    assert slow is not None
    assert desk.held() == {0}
    wait_until(lambda: desk.lost() == [0])
    assert desk.held() == set()
    desk.open([attempt(0, attempt=2)])
    assert Errand.claim(process, desk.keys.run, 0, 1) is None  # its message came once more
    assert not slow.finish(followed(clip("fine")))
    run_clip(process, desk.keys.run, 0, 2)
    assert desk.ended(0) == [Ended(0, followed(clip("fine")))]
    assert desk.lost() == []
    assert not bench.cache.redis.keys("extract:*")


def test_a_lease_is_renewed_as_long_as_the_work_lasts(bench: Bench, process: Process) -> None:
    settings = bench.settings.model_copy(update={"lease_s": 0.3})
    quick = Process(settings, process.library, open_following=open_scripted)
    desk = RedisDesk(settings, HOW_, of="store shard")
    desk.keep()
    desk.open([attempt(0)])
    errand = Errand.claim(quick, desk.keys.run, 0, 1)
    assert errand is not None
    with errand.kept(limit_s=30):
        first = bench.redis.zscore(desk.keys.leases, "0")
        wait_until(lambda: bench.redis.zscore(desk.keys.leases, "0") != first)
    assert errand.finish(followed(clip("fine")))
    desk.close()


def test_tracks_that_the_cache_has_forgotten_are_told_as_lost(
    bench: Bench, desk: RedisDesk, process: Process
) -> None:
    desk.open([attempt(3)])
    run_clip(process, desk.keys.run, 3, 1)
    bench.cache.redis.flushall()
    assert desk.ended(0) == [Ended(3, None)]


def test_a_later_command_takes_the_place_of_an_earlier_one(
    bench: Bench, desk: RedisDesk, process: Process
) -> None:
    desk.open([attempt(0)])
    other = RedisDesk(bench.settings, HOW_, of="store other-shards")
    other.keep()
    later = RedisDesk(bench.settings, HOW_, of="store shard")
    later.keep()
    with pytest.raises(InputError, match="another"):
        desk.keep()
    run_clip(process, desk.keys.run, 0, 1)
    assert begun(bench) == []  # nobody waits for it
    for each in (other, later):
        each.keep()
        each.close()
    assert not bench.redis.keys("extract:*")


def test_a_worker_that_cannot_follow_so_ends_the_command(bench: Bench, process: Process) -> None:
    desk = RedisDesk(bench.settings, How(tracks=13), of="store shard")
    desk.keep()
    desk.open([attempt(0)])
    run_clip(process, desk.keys.run, 0, 1)
    with pytest.raises(InputError, match="weights that are not here"):
        desk.ended(0)
    desk.close()


def test_what_a_worker_would_follow_otherwise_it_refuses(bench: Bench) -> None:
    process = Process(bench.settings, ScriptedLibrary(bench.settings))
    with pytest.raises(InputError, match="would make other tracks"):
        process.following(HOW_, "0" * 64)


@pytest.fixture
def start(start_worker: Callable[..., WorkerProcess]) -> Callable[..., WorkerProcess]:
    """Start real workers that take clips."""
    return partial(start_worker, module="tests.workers.extracting")


def test_jobs_go_before_clips(
    bench: Bench, desk: RedisDesk, start: Callable[..., WorkerProcess]
) -> None:
    desk.open([attempt(0, "held"), *(attempt(number) for number in range(1, 30))])
    start(bench.settings.model_copy(update={"takes": "both"}))
    wait_until(lambda: begun(bench) == ["held"])
    job_id = bench.send(bench.clip("fine"))
    bench.go()
    started = bench.finished(job_id).started_at
    assert started is not None
    wait_until(lambda: len(begun(bench)) == 30)
    lines = (bench.settings.data_dir / "begun").read_text().splitlines()
    assert all(float(line.split()[0]) > started for line in lines[1:])


def test_a_worker_for_jobs_leaves_clips_alone(
    bench: Bench, desk: RedisDesk, start: Callable[..., WorkerProcess]
) -> None:
    desk.open([attempt(0)])
    start(bench.settings)
    assert bench.finished(bench.send(bench.clip("fine"))).result
    assert not desk.idle()
    assert begun(bench) == []


def test_what_kills_workers_is_a_failure_and_the_store_is_as_if_nothing_had_been(
    bench: Bench, start: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    fine = [clip(f"fine-{number}") for number in range(8)]
    wanted = [*fine[:3], clip("deadly"), clip("deadly-once"), *fine[3:], clip("refuse")]
    start(bench.settings.model_copy(update={"takes": "extract"}))
    store = tmp_path / "store"
    outcome = extract(
        wanted,
        store,
        HOW_,
        followers=queue_followers(bench.settings, str(store), "shard"),
        clips_per_shard=4,
    )
    told = {each.key: each.kind for each in outcome.failures}
    assert told == {"deadly": "process-died", "refuse": "unsupported-clip"}
    assert begun(bench).count("deadly") == 3
    ours = contents(store)
    assert ours.pop("failures.jsonl").count(b"\n") == 2
    good = in_order([each for each in wanted if each.key not in told], MIXED)
    assert ours == written(tmp_path / "whole", good)
    assert not bench.redis.keys("extract:*")
    assert not bench.cache.redis.keys("extract:*")


def written(folder: Path, clips: Sequence[Wanted]) -> dict[str, bytes]:
    """The store of these clips that nobody's queue had a part in."""
    with StoreWriter(TrackStore.create(folder, HOW_.making()), clips_per_shard=4) as writer:
        for each in clips:
            writer.add_members(each.key, followed(each).members)
    return contents(folder)


# Extracts a folder by the workers of the environment's broker and says how far it is; to be killed.
EXTRACTS = """
import sys
from pathlib import Path
from pointaction.extraction.extract import extract
from pointaction.extraction.follower import How
from pointaction.extraction.sources import read_source
from workers.extraction import by_queue
extract(read_source(Path(sys.argv[1])), sys.argv[2], How(tracks=24), clips_per_shard=3,
        followers=by_queue(sys.argv[2], "shard"),
        progress=lambda done, total: print(done, flush=True))
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of the same pictures, each a file of its own, and one that is no video."""
    folder = tmp_path_factory.mktemp("videos")
    write_sample("moving left", folder / "one.mp4", seed=1, side=64)
    whole = (folder / "one.mp4").read_bytes()
    for number in range(8):
        free = bytes([0, 0, 0, 9, *b"free", number])
        (folder / f"{number}.mp4").write_bytes(whole + free)
    (folder / "one.mp4").write_bytes(b"this is no video")
    return folder


def test_worker_and_command_are_killed_and_the_store_is_that_of_one_process(
    bench: Bench, start: Callable[..., WorkerProcess], videos: Path, tmp_path: Path
) -> None:
    settings = bench.settings.model_copy(
        update={"takes": "extract", "lease_s": 3.0, "model_store": DEFAULT_STORE}
    )
    how, wanted = How(tracks=24), read_source(videos)
    extract(wanted, tmp_path / "whole", how, clips_per_shard=3)
    store = tmp_path / "store"

    worker = start(settings, module="workers.launch")
    with subprocess.Popen(
        [sys.executable, "-c", EXTRACTS, videos, store],
        stdout=subprocess.PIPE,
        env=environment(settings),
    ) as command:
        assert command.stdout is not None
        for _ in range(3):
            command.stdout.readline()
        kill(worker)
        start(settings, module="workers.launch")
        command.stdout.readline()
        command.send_signal(signal.SIGKILL)
    followers = queue_followers(settings, str(store), "shard")
    outcome = extract(wanted, store, how, followers=followers, clips_per_shard=3)

    assert 3 <= outcome.there < 9
    assert [each.key for each in outcome.failures] == ["one"]
    assert contents(store) == contents(tmp_path / "whole")


def test_the_command_finds_the_queue_by_its_entry_point(
    bench: Bench,
    start: Callable[..., WorkerProcess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in bench.settings.as_environment().items():
        monkeypatch.setenv(name, value)
    point = EntryPoint("queue", "workers.extraction:by_queue", "pointaction.followers")
    monkeypatch.setattr(commands, "entry_points", lambda group, name: [point])
    for number in range(5):
        (tmp_path / f"{number}.mp4").touch()
    whole = in_order(read_source(tmp_path), MIXED)
    app = Typer()
    app.command()(commands.extract)
    start(bench.settings.model_copy(update={"takes": "extract"}))
    words = [str(tmp_path), "-o", str(tmp_path / "store"), "--tracks", "6", "--queue"]
    wait_until(lambda: bool(alive_for(bench.redis, "extract")))
    done = CliRunner().invoke(app, [*words, "--share", "2/2", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "store").exists()
    assert "a clip, by 1 worker with nothing else to do" in done.output.replace("\n", "")
    done = CliRunner().invoke(app, [*words, "--share", "2/2"])
    assert done.exit_code == 0, done.output
    assert "2 of 2 clips are not there yet" in done.output
    assert "2 of 2 clips, 2 of them new" in done.output.replace("\n", "")
    keys = [entry.key for entry in TrackStore(tmp_path / "store")]
    assert keys == [each.key for each in whole[1::2]]
    assert (tmp_path / "store" / "shards" / "shard-2-of-2-00000.tar").exists()


def test_what_clips_will_take_is_told_by_the_workers_that_take_some(
    bench: Bench, start: Callable[..., WorkerProcess]
) -> None:
    wanted = [clip(f"fine-{number}") for number in range(9)]
    others = queue_followers(bench.settings, "store", "shard", patience_s=1.0)
    assert others.estimate(wanted, HOW_) == Estimate(clips=9, hands=0, tried=None)
    beat(bench.redis, "elsewhere:1", takes="extract", ttl_s=60)  # which says so and takes none
    assert others.estimate(wanted, HOW_) == Estimate(clips=9, hands=1, tried=None)
    start(bench.settings.model_copy(update={"takes": "extract"}))
    wait_until(lambda: len(alive_for(bench.redis, "extract")) == 2)
    going_on = RedisDesk(bench.settings, HOW_, of=what("store", "shard"))
    going_on.keep()
    told = others.estimate(wanted, HOW_)
    going_on.keep()  # nobody has taken its place
    going_on.close()
    assert told.tried is not None
    assert (told.clips, told.hands, told.seconds) == (9, 2, 9 * told.tried.seconds / 2)
    size = len(b"".join(followed(wanted[0]).members.values()))
    assert abs(told.tried.bytes / size - 1) < 0.1
    assert set(begun(bench)) == {"fine-0", "fine-3", "fine-6"}
    assert others.estimate([], HOW_) == Estimate(clips=0, hands=2, tried=None)
    assert not bench.cache.redis.keys("extract:*")


def test_a_store_in_a_bucket_is_filled_though_a_worker_is_killed_at_work(
    bench: Bench, start: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    settings = bench.settings.model_copy(update={"takes": "extract"})
    wanted = [clip("held"), *(clip(f"fine-{number}") for number in range(9))]

    def kill_who_holds(worker: WorkerProcess) -> None:
        wait_until(lambda: "held" in begun(bench))
        start(settings)
        wait_until(lambda: len(begun(bench)) == len(wanted))  # the other one has all others
        kill(worker)
        bench.go()

    with local_s3("extracted") as bucket, ThreadPoolExecutor(1) as meanwhile:
        killed = meanwhile.submit(kill_who_holds, start(settings))
        outcome = extract(
            wanted,
            bucket,
            HOW_,
            followers=queue_followers(settings, bucket, "shard"),
            clips_per_shard=4,
            spool=tmp_path / "spool",
        )
        killed.result()
        store = TrackStore(bucket)
        assert (outcome.added, outcome.failures) == (10, [])
        written(tmp_path / "whole", in_order(wanted, MIXED))
        assert store.shards == TrackStore(tmp_path / "whole").shards
        assert [store.faults(number, decoding=True) for number in range(3)] == [[], [], []]
    assert begun(bench).count("held") == 2
    assert [path.suffix for path in (tmp_path / "spool").rglob("*") if path.is_file()] == [".lock"]


def test_without_a_broker_the_command_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POINTACTION_BROKER_URL", raising=False)
    with pytest.raises(InputError, match="POINTACTION_BROKER_URL"):
        by_queue("store", "shard")
