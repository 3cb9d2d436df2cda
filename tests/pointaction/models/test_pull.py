"""Fetching weights from a real server on a socket, which may break off, lie or start anew."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from pointaction.appearance.backbones import open_backbone
from pointaction.errors import DamagedWeights, InputError, LimitExceeded, UnknownModel
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
from tests.pointaction.appearance.checkpoints import KNOWN

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
        self.folder: Path | None = None  # instead of one content
        self.url = ""


@contextmanager
def serving(content: bytes) -> Iterator[Host]:
    host = Host(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            host.asked.append(asked)
            if host.folder:
                host.content = (host.folder / self.path[1:]).read_bytes()
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


def test_a_full_disk_leaves_what_came_and_says_what_to_do(tmp_path: Path, official: Path) -> None:
    content = official.read_bytes()
    with serving(content) as host:
        download = replace(DOWNLOAD, url=host.url, sha256=sha256(content))
        (tmp_path / "small").mkdir()
        (tmp_path / "small" / "download.part").symlink_to("/dev/full")
        with pytest.raises(InputError, match="no space is left for .*make room and call again"):
            pull(tmp_path, download)
        (tmp_path / "small" / "download.part").unlink()
        pull(tmp_path, download)
    assert left_over(tmp_path) == {"weights.safetensors", "receipt.json"}


def test_what_cannot_fit_is_not_begun(
    tmp_path: Path, official: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    content = official.read_bytes()
    with serving(content) as host, pytest.raises(LimitExceeded, match="0 MB are free") as caught:
        pull(tmp_path, replace(DOWNLOAD, url=host.url, sha256=sha256(content)))
    assert (caught.value.limit, caught.value.value) == (1000, len(content))
    assert (tmp_path / "small" / "download.part").stat().st_size == 0


def test_a_disk_that_fills_up_at_the_end_leaves_no_weights(
    tmp_path: Path, official: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(weights: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left (os error 28)")

    monkeypatch.setattr("pointaction.models.pull.save_file", full)
    with pytest.raises(InputError, match="no space is left"):
        pull(tmp_path, DOWNLOAD, file=official)
    assert left_over(tmp_path) == set()


def test_weights_that_do_not_fit_are_fetched_anew_the_next_time(tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(2, 4)}, other)
    with serving(other.read_bytes()) as host, pytest.raises(DamagedWeights, match="missing: bias"):
        pull(tmp_path, replace(DOWNLOAD, url=host.url))
    assert left_over(tmp_path) == set()


FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
SEEING = replace(
    DOWNLOAD, name="seeing", task="appearance", builder="backbone", url="", files=FILES
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small DINOv2 with registers as transformers saves it."""
    folder = tmp_path_factory.mktemp("saved")
    KNOWN["dinov2-registers"].save(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}'
    )
    return folder


def seen_of(store: Path) -> set[str]:
    return {path.name for path in (store / "seeing").iterdir()}


@contextmanager
def serving_folder(folder: Path) -> Iterator[Host]:
    with serving(b"") as host:
        host.folder = folder
        host.url = host.url.rpartition("/")[0] + "/"
        yield host


def test_a_backbone_is_all_its_files_with_their_digests(tmp_path: Path, saved: Path) -> None:
    with serving_folder(saved) as host:
        download = replace(SEEING, url=host.url)
        receipt = pull(tmp_path, download)
    assert receipt == read_receipt(tmp_path, download)
    assert receipt.files == {name: sha256((saved / name).read_bytes()) for name in FILES}
    assert seen_of(tmp_path) == {*FILES, "receipt.json"}
    assert open_backbone(verified(tmp_path, download)).sha256 == receipt.sha256
    (tmp_path / "seeing" / "preprocessor_config.json").write_text("{}")
    with pytest.raises(DamagedWeights, match=r"preprocessor_config.json has digest.*pull seeing"):
        verified(tmp_path, download)


def test_a_backbone_that_broke_off_goes_on_with_the_file_it_was_at(
    tmp_path: Path, saved: Path
) -> None:
    with serving_folder(saved) as host:
        download = replace(SEEING, url=host.url)
        host.breaks_off = 1
        with pytest.raises(InputError, match="Call again"):
            pull(tmp_path, download)
        assert read_receipt(tmp_path, download) is None
        assert seen_of(tmp_path) == {"incoming"}
        pull(tmp_path, download)
        third = (saved / "config.json").stat().st_size // 3
        assert host.asked == [None, f"bytes={third}-", None, None]
    assert seen_of(tmp_path) == {*FILES, "receipt.json"}


def test_a_backbone_of_another_architecture_leaves_what_was_there(
    tmp_path: Path, saved: Path
) -> None:
    pull(tmp_path, SEEING, file=saved)
    other = tmp_path / "other"
    shutil.copytree(saved, other)
    save_file({"embeddings.cls_token": torch.zeros(3)}, other / "model.safetensors")
    with pytest.raises(DamagedWeights, match="mismatched embeddings.cls_token, missing"):
        pull(tmp_path, SEEING, file=other)
    assert seen_of(tmp_path) == {*FILES, "receipt.json"}
    assert verified(tmp_path, SEEING).is_dir()


def test_a_backbone_that_is_pickled_is_refused(tmp_path: Path, saved: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(saved, other)
    (other / "model.safetensors").rename(other / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"model.safetensors is not there.*pickle"):
        pull(tmp_path, SEEING, file=other)
    assert read_receipt(tmp_path, SEEING) is None


def test_a_receipt_that_names_no_files_vouches_for_none(tmp_path: Path, saved: Path) -> None:
    receipt = pull(tmp_path, SEEING, file=saved)
    replace(receipt, files={}).save(tmp_path / SEEING.receipt)
    with pytest.raises(DamagedWeights, match="names no files; pull seeing again"):
        verified(tmp_path, SEEING)


def test_the_shipped_catalogue_names_networks_that_we_have() -> None:
    downloads = read_downloads(DEFAULT_STORE)
    assert {"cotracker3", "video-depth-anything-small", "dinov2-base"} <= downloads.keys()
    for download in downloads.values():
        if download.builder == "backbone":
            assert download.url.endswith("/resolve/main/")
            assert {"config.json", "model.safetensors"} < set(download.files)
            continue
        with torch.device("meta"):
            network = networks.NETWORKS[download.builder]()
        assert sum(part.numel() for part in network.parameters()) == download.parameters
    with pytest.raises(UnknownModel, match="there is cotracker3"):
        find_download(DEFAULT_STORE, "cotracker4")
