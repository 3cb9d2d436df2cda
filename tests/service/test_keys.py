import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from typer.testing import CliRunner

from pointaction import cli
from pointaction.errors import InputError
from service.app import create_app
from service.key_commands import keys as key_commands
from service.keys import KEYS, KeyStore, digest, seconds
from service.launch import check_exposure
from service.settings import ServiceSettings
from tests.conftest import RedisServers
from tests.service.doubles import PlayedWorker
from tests.service.requests import problem, send
from tests.service.serving import Counting, at_home, bearer, listening, read_all
from workers.embedded import EmbeddedRedis
from workers.redis import connect

GIGABYTE = 2**30
TOKEN = re.compile("pa_[0-9a-f]{64}")


@pytest.fixture
def closed(settings: ServiceSettings) -> ServiceSettings:
    return settings.model_copy(update={"open": False})


@pytest.fixture
def guarded(closed: ServiceSettings, worker: PlayedWorker) -> Iterator[TestClient]:
    """A service that is not open, asked from elsewhere."""
    with TestClient(create_app(closed, queue=worker)) as client:
        yield client


@pytest.fixture
def keys(worker: PlayedWorker) -> KeyStore:
    return KeyStore(worker.store.redis)


def test_a_key_opens_by_either_header(guarded: TestClient, keys: KeyStore) -> None:
    token, _ = keys.create("anna")
    assert TOKEN.fullmatch(token)
    for headers in (bearer(token), {"Authorization": f"bearer  {token}"}, {"X-API-Key": token}):
        assert guarded.get("/models", headers=headers).status_code == 200
    assert send(guarded, headers=bearer(token)).status_code == 200


def test_only_the_hash_of_a_key_is_kept(guarded: TestClient, keys: KeyStore) -> None:
    token, key = keys.create("anna")
    send(guarded, headers=bearer(token))
    kept = keys.redis.hgetall(KEYS)
    assert list(kept) == [digest(token)]
    assert token.removeprefix("pa_") not in str(kept)
    assert key.hint == token[:7]
    assert token not in str(keys.all())


@pytest.mark.parametrize("headers", [{}, bearer(""), bearer("pa_" + "0" * 64), {"X-API-Key": "x"}])
def test_nobody_else_comes_in(guarded: TestClient, keys: KeyStore, headers: dict[str, str]) -> None:
    keys.create("anna")
    answer = guarded.get("/models", headers=headers)
    assert problem(answer)["kind"] == "unauthorised"
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="pointaction"')
    assert ("invalid_token" in challenge) == bool(headers)


def test_a_key_of_another_scheme_is_none(guarded: TestClient, keys: KeyStore) -> None:
    token, _ = keys.create("anna")
    behind_a_proxy = {"Authorization": "Basic eDp5", "X-API-Key": token}
    assert guarded.get("/models", headers={"Authorization": f"Basic {token}"}).status_code == 401
    assert guarded.get("/models", headers=behind_a_proxy).status_code == 200


def test_a_revoked_key_opens_nothing_from_the_next_request_on(
    guarded: TestClient, keys: KeyStore
) -> None:
    token, _ = keys.create("anna")
    other, _ = keys.create("ben")
    assert guarded.get("/models", headers=bearer(token)).status_code == 200
    keys.revoke("anna")
    assert "revoked" in problem(guarded.get("/models", headers=bearer(token)))["detail"]
    assert guarded.get("/models", headers=bearer(other)).status_code == 200


def test_a_key_expires(guarded: TestClient, keys: KeyStore) -> None:
    past, _ = keys.create("anna", expires_s=-1)
    coming, _ = keys.create("ben", expires_s=60)
    assert "expired" in problem(guarded.get("/models", headers=bearer(past)))["detail"]
    assert guarded.get("/models", headers=bearer(coming)).status_code == 200


def test_a_new_secret_opens_what_the_old_one_made(guarded: TestClient, keys: KeyStore) -> None:
    old, before = keys.create("anna", expires_s=-1)
    new, after = keys.rotate("anna")
    assert before.id == after.id
    assert guarded.get("/models", headers=bearer(old)).status_code == 401
    job = send(guarded, headers=bearer(new)).json()["job"]
    newest, _ = keys.rotate("anna", expires_s=60)
    assert guarded.get(f"/jobs/{job}", headers=bearer(newest)).status_code == 200
    assert guarded.get(f"/jobs/{job}", headers=bearer(new)).status_code == 401


def test_a_name_is_one_key_s_until_that_is_revoked(keys: KeyStore) -> None:
    _, first = keys.create("anna")
    with pytest.raises(InputError, match="already"):
        keys.create("anna")
    keys.revoke("anna")
    _, second = keys.create("anna")
    assert first.id != second.id
    assert [key.revoked_at is None for key in keys.all()] == [False, True]
    for act in (keys.revoke, keys.rotate):
        with pytest.raises(InputError, match="no key 'ben'"):
            act("ben")


@pytest.mark.parametrize("name", ["", "a" * 65, "a\nb", "[red]"])
def test_a_name_can_be_shown(keys: KeyStore, name: str) -> None:
    with pytest.raises(InputError, match="a name has"):
        keys.create(name)


@pytest.mark.parametrize(("text", "found"), [("90d", 7_776_000), ("12h", 43_200), ("30m", 1800)])
def test_durations_are_in_days_hours_or_minutes(text: str, found: int) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "d", "90", "-1d", "0d", "1.5h", "90 d", "1w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="90d"):
        seconds(text)


# Without a key


def test_on_its_own_machine_nobody_is_asked_while_there_are_no_keys(
    guarded: TestClient, keys: KeyStore
) -> None:
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        assert send(at_home(guarded, host=host)).status_code == 200
    keys.create("anna")
    assert at_home(guarded).get("/models").status_code == 401
    keys.revoke("anna")  # which must not open the door to everyone
    assert at_home(guarded).get("/models").status_code == 401


def test_from_elsewhere_everyone_is(guarded: TestClient) -> None:
    assert guarded.get("/models").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Host": "rebound.example"},
        {"Host": "[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda headers: " ".join(*headers.items()),
)
def test_a_proxy_or_a_page_from_elsewhere_is_not_the_own_machine(
    guarded: TestClient, headers: dict[str, str]
) -> None:
    assert send(at_home(guarded), headers=headers).status_code == 401


def test_where_others_can_come_a_key_is_needed_from_the_start(
    closed: ServiceSettings, worker: PlayedWorker
) -> None:
    reachable = closed.model_copy(update={"host": "0.0.0.0"})
    with TestClient(create_app(reachable, queue=worker)) as client:
        assert at_home(client).get("/models").status_code == 401


def test_an_open_service_asks_nobody_but_takes_no_wrong_key(
    client: TestClient, keys: KeyStore
) -> None:
    token, _ = keys.create("anna")
    assert client.get("/models").status_code == 200
    assert client.get("/models", headers=bearer(token)).status_code == 200
    assert client.get("/models", headers=bearer("pa_wrong")).status_code == 401


@pytest.mark.parametrize(("open_", "status"), [(False, 401), (True, 200)])
def test_metrics_are_open_by_setting(
    closed: ServiceSettings, worker: PlayedWorker, open_: bool, status: int
) -> None:
    settings = closed.model_copy(update={"metrics_open": open_})
    with TestClient(create_app(settings, queue=worker)) as client:
        assert client.get("/metrics").status_code == status


def test_keys_that_cannot_be_read_let_nobody_in(closed: ServiceSettings) -> None:
    nowhere = closed.model_copy(update={"broker_url": f"unix://{closed.data_dir}/nobody.sock"})
    with TestClient(create_app(nowhere)) as client:
        answer = client.get("/models", headers=bearer("pa_any"))
        assert problem(answer)["kind"] == "queue-down"
        assert "retry-after" in answer.headers
        assert client.get("/health/live").status_code == 200


# Where it listens


def test_it_does_not_listen_to_strangers_without_keys(
    closed: ServiceSettings, keys: KeyStore
) -> None:
    check_exposure(closed)
    reachable = closed.model_copy(update={"host": "0.0.0.0"})
    keys.create("past", expires_s=-1)
    with pytest.raises(InputError, match=r"pointaction keys create NAME.*--open") as refusal:
        check_exposure(reachable)
    assert "POINTACTION_OPEN=true" in str(refusal.value)
    check_exposure(reachable.model_copy(update={"open": True}))
    check_exposure(reachable.model_copy(update={"api_keys": SecretStr("one")}))
    keys.create("anna")
    check_exposure(reachable)


@pytest.mark.parametrize(
    ("host", "reachable"),
    [
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("localhost", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.168.0.2", True),
        ("clips.example", True),
    ],
)
def test_loopback_is_not_reachable(settings: ServiceSettings, host: str, reachable: bool) -> None:
    assert settings.model_copy(update={"host": host}).reachable is reachable


# Before the body


def test_who_has_no_key_is_told_before_anything_was_sent(closed: ServiceSettings) -> None:
    counting = Counting(create_app(closed.model_copy(update={"host": "0.0.0.0"})))
    with listening(counting) as port, socket.create_connection(("127.0.0.1", port)) as caller:
        caller.settimeout(10)
        caller.sendall(_head(GIGABYTE))
        answer = read_all(caller)  # up to the end: the server hangs up
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer.lower()
    assert counting.read == 0


def test_of_a_gigabyte_without_a_key_at_most_a_little_is_read(closed: ServiceSettings) -> None:
    counting = Counting(create_app(closed.model_copy(update={"host": "0.0.0.0"})))
    sent, chunk = 0, bytes(64 * 1024)
    with listening(counting) as port, socket.create_connection(("127.0.0.1", port)) as caller:
        caller.settimeout(10)
        caller.sendall(_head(GIGABYTE))
        try:
            while sent < GIGABYTE:
                sent += caller.send(chunk)
        except (ConnectionResetError, BrokenPipeError):
            pass
        answer = read_all(caller)
    assert answer.startswith(b"HTTP/1.1 401 ")  # who went on sending finds it all the same
    assert counting.read <= 64 * 1024 + 2 * 64 * 1024  # and what had come in by then
    assert sent < 32 * 2**20  # the rest of it is the kernel's


def _head(length: int) -> bytes:
    return (
        f"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    ).encode()


# The commands


@pytest.fixture
def at_broker(redis_servers: RedisServers, monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    monkeypatch.setenv("POINTACTION_BROKER_URL", redis_servers.broker_url)
    return KeyStore(connect(redis_servers.broker_url))


def test_a_key_is_made_listed_renewed_and_revoked_by_commands(at_broker: KeyStore) -> None:
    run = CliRunner()
    limits = ["--submits", "5", "--reads", "0", "--pending", "2", "--per-day", "100"]
    made = run.invoke(key_commands, ["create", "anna", "--expires", "90d", *limits])
    token = made.stdout.strip()
    assert (made.exit_code, bool(TOKEN.fullmatch(token))) == (0, True)
    (key,) = at_broker.all()
    assert key.expires_at is not None
    assert key.expires_at - key.created_at == pytest.approx(90 * 86400, abs=5)
    assert list(key.limits.model_dump().values()) == [5, 0, 100, 2]
    listed = run.invoke(key_commands, ["list"]).stdout
    assert "anna" in listed
    assert key.hint in listed
    assert token not in listed
    assert "5 + any" in listed
    new = run.invoke(key_commands, ["rotate", "anna"]).stdout.strip()
    assert new != token
    assert run.invoke(key_commands, ["revoke", "anna"]).exit_code == 0
    assert at_broker.all()[0].revoked_at is not None
    assert not at_broker.any_opens()


def test_keys_of_an_embedded_stack_are_made_whether_it_runs_or_not(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POINTACTION_BROKER_URL", raising=False)
    run, where = CliRunner(), ["--data-dir", str(data_dir)]
    assert run.invoke(key_commands, ["create", "before", *where]).exit_code == 0
    with EmbeddedRedis(data_dir) as servers:
        assert run.invoke(key_commands, ["create", "during", *where]).exit_code == 0
        with connect(servers.broker_url) as redis:
            assert [key.name for key in KeyStore(redis).all()] == ["before", "during"]


def test_groups_of_commands_join_by_entry_points(
    at_broker: KeyStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Point:
        name = "keys"

        def load(self) -> object:
            return key_commands

    monkeypatch.setattr(cli, "entry_points", lambda group: [Point()])
    monkeypatch.setattr("sys.argv", ["pointaction", "keys", "revoke", "nobody"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "there is no key 'nobody'" in capsys.readouterr().err
