"""Fetching weights from a real server on a socket, which may break off, lie or start anew."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pointaction.errors import DamagedWeights, InputError, UnknownModel
from pointaction.models import networks
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.downloads import (
    Download,
    find_download,
    read_downloads,
    read_receipt,
    verified,
)
from pointaction.models.networks import open_network
from pointaction.models.pull import pull

DOWNLOAD = Download(
    name="small",
    task="depth",
    builder="small",
    says="A layer.",
    url="",
    licence="Apache-2.0",
    commercial_use=True,
    parameters=8,
)


@pytest.fixture(autouse=True)
def _known_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(networks.NETWORKS, "small", lambda: nn.Linear(3, 2))


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A checkpoint as torch saves it, wrapped as some are."""
    path = tmp_path / "official.pth"
    torch.save({"model": nn.Linear(3, 2).state_dict()}, path)
    return path


class Host:
    """What a file host does, and how often it was asked."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.breaks_off = 0  # answers that end after a third
        self.resumes = True
        self.announces: str | None = None
        self.asked: list[str | None] = []
        self.url = ""


@contextmanager
def serving(content: bytes) -> Iterator[Host]:
    host = Host(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            host.asked.append(asked)
            start = int(asked[6:-1]) if asked and host.resumes else 0
            if start >= len(host.content):
                self.send_error(416)
                return
            rest = host.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            if host.announces:
                self.send_header("X-Linked-ETag", f'"{host.announces}"')
            self.end_headers()
            if host.breaks_off:
                host.breaks_off -= 1
                self.wfile.write(rest[: len(rest) // 3])
                return
            self.wfile.write(rest)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_port}/weights.pth"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def left_over(store: Path) -> set[str]:
    return {path.name for path in (store / "small").iterdir()}


def test_what_was_pulled_opens_as_the_network_it_is(tmp_path: Path, official: Path) -> None:
    content = official.read_bytes()
    with serving(content) as host:
        download = replace(DOWNLOAD, url=host.url, sha256=sha256(content))
        seen: list[tuple[int, int | None]] = []
        receipt = pull(tmp_path, download, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(content), len(content))
    assert receipt == read_receipt(tmp_path, download)
    assert receipt.source_sha256 == sha256(content)
    assert left_over(tmp_path) == {"weights.safetensors", "receipt.json"}
    wanted = torch.load(official, weights_only=True)["model"]
    opened = open_network(tmp_path, download)
    assert torch.equal(opened.get_parameter("weight"), wanted["weight"])


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path, official: Path) -> None:
    content = official.read_bytes()
    with serving(content) as host:
        host.breaks_off = 1
        download = replace(DOWNLOAD, url=host.url, sha256=sha256(content))
        with pytest.raises(InputError, match="Call again"):
            pull(tmp_path, download)
        assert left_over(tmp_path) == {"download.part"}
        pull(tmp_path, download)
        assert host.asked == [None, f"bytes={len(content) // 3}-"]
    assert left_over(tmp_path) == {"weights.safetensors", "receipt.json"}


def test_a_host_that_cannot_resume_is_asked_for_all(tmp_path: Path, official: Path) -> None:
    content = official.read_bytes()
    with serving(content) as host:
        host.breaks_off, host.resumes = 1, False
        download = replace(DOWNLOAD, url=host.url, sha256=sha256(content))
        with pytest.raises(InputError):
            pull(tmp_path, download)
        pull(tmp_path, download)
    assert verified(tmp_path, download).is_file()


def test_a_download_that_is_all_there_is_not_fetched_again(tmp_path: Path, official: Path) -> None:
    """The power went just after the last byte."""
    content = official.read_bytes()
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "download.part").write_bytes(content)
    with serving(content) as host:
        pull(tmp_path, replace(DOWNLOAD, url=host.url, sha256=sha256(content)))
    assert left_over(tmp_path) == {"weights.safetensors", "receipt.json"}


@pytest.mark.parametrize("known_by", ["catalogue", "host"])
def test_a_wrong_digest_leaves_nothing(tmp_path: Path, official: Path, known_by: str) -> None:
    with serving(official.read_bytes()) as host:
        download = replace(DOWNLOAD, url=host.url)
        if known_by == "catalogue":
            download = replace(download, sha256="0" * 64)
        else:
            host.announces = "0" * 64
        with pytest.raises(DamagedWeights, match="expected was 000"):
            pull(tmp_path, download)
    assert left_over(tmp_path) == set()


def test_without_a_network_a_file_will_do(tmp_path: Path, official: Path) -> None:
    pull(tmp_path, DOWNLOAD, file=official)
    assert official.is_file()
    assert open_network(tmp_path, DOWNLOAD).get_parameter("bias").shape == (2,)


def test_safetensors_will_do_as_well(tmp_path: Path) -> None:
    save_file(nn.Linear(3, 2).state_dict(), tmp_path / "official.safetensors")
    pull(tmp_path, DOWNLOAD, file=tmp_path / "official.safetensors")
    assert verified(tmp_path, DOWNLOAD).is_file()


def test_keys_that_do_not_fit_are_named(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 4), "gain": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(DamagedWeights) as caught:
        pull(tmp_path, DOWNLOAD, file=tmp_path / "other.pth")
    assert "missing: bias; unexpected: gain; of another shape: weight (2, 4) instead of (2, 3)" in (
        str(caught.value)
    )
    assert left_over(tmp_path) == set()


def test_a_checkpoint_that_runs_code_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Evil(), "bias": torch.zeros(2)}, tmp_path / "evil.pth")
    with pytest.raises(DamagedWeights, match="no checkpoint that can be read safely"):
        pull(tmp_path, DOWNLOAD, file=tmp_path / "evil.pth")
    assert not (tmp_path / "proof").exists()


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("proof"),)  # type: ignore[return-value]


@pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint"])
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some.pth").write_bytes(content)
    with pytest.raises(DamagedWeights, match="no checkpoint"):
        pull(tmp_path, DOWNLOAD, file=tmp_path / "some.pth")


def test_a_licence_that_forbids_commercial_use_has_to_be_accepted(
    tmp_path: Path, official: Path
) -> None:
    download = replace(DOWNLOAD, commercial_use=False, licence="CC-BY-NC-4.0")
    with pytest.raises(InputError, match="CC-BY-NC-4.0.*--accept-licence"):
        pull(tmp_path, download, file=official)
    assert pull(tmp_path, download, file=official, accept_licence=True).licence == "CC-BY-NC-4.0"


def test_a_damaged_file_in_the_store_is_not_opened(tmp_path: Path, official: Path) -> None:
    with pytest.raises(UnknownModel, match="pointaction models pull small"):
        open_network(tmp_path, DOWNLOAD)
    pull(tmp_path, DOWNLOAD, file=official)
    path = tmp_path / DOWNLOAD.weights
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedWeights, match="pull small again"):
        open_network(tmp_path, DOWNLOAD)


def test_the_shipped_catalogue_names_networks_that_we_have() -> None:
    downloads = read_downloads(DEFAULT_STORE)
    assert {"cotracker3", "video-depth-anything-small", "dinov2-base"} <= downloads.keys()
    for download in downloads.values():
        with torch.device("meta"):
            network = networks.NETWORKS[download.builder]()
        assert sum(part.numel() for part in network.parameters()) == download.parameters
    with pytest.raises(UnknownModel, match="there is cotracker3"):
        find_download(DEFAULT_STORE, "cotracker4")
