"""Weights of others: what could be fetched, what has been, and under which licence. Needs no torch.

`catalog.toml` has one table `[downloads.NAME]` for each. What has been fetched lies in the store's
folder NAME, beside a receipt that says where it came from. Most are weights of a network of ours,
in one file. A backbone is `files` of a folder, as the `transformers` library saves it.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pointaction.errors import DamagedWeights, NotInstalled, UnknownModel
from pointaction.models.catalog import read_tables
from pointaction.models.digests import check
from pointaction.whole import written_whole

BACKBONE = "backbone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Weights that `pointaction models pull` can fetch."""

    name: str
    task: str  # "tracking", "depth" or "appearance"
    builder: str  # key of pointaction.models.networks.NETWORKS, or "backbone"
    says: str  # what it is, in one line
    url: str  # of the weights; of a backbone, of the folder of its `files`, with a / at the end
    licence: str  # SPDX identifier
    commercial_use: bool
    parameters: int
    sha256: str | None = None  # of what lies at `url`; None: what its host announces must do
    files: tuple[str, ...] = ()  # of a backbone: config.json, the processor's, weights

    @property
    def command(self) -> str:
        """What to type to install it."""
        accept = "" if self.commercial_use else " --accept-licence"
        return f"pointaction models pull {self.name}{accept}"

    @property
    def weights(self) -> Path:
        """Relative to the store: a file, or the folder of a backbone."""
        return Path(self.name) if self.files else Path(self.name) / "weights.safetensors"

    @property
    def receipt(self) -> Path:
        """Relative to the store; written last, so that weights without one are no weights."""
        return Path(self.name) / "receipt.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where installed weights came from."""

    source: str  # an address or the name of a file
    source_sha256: str
    sha256: str  # of the weights as they lie in the store; of a backbone, its digest in answers
    licence: str  # that was shown and accepted
    pulled: str  # date
    files: dict[str, str] = field(default_factory=dict)  # of a backbone: SHA-256 by name

    def save(self, path: Path) -> None:
        """As JSON, at once."""
        with written_whole(path) as part:
            part.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_downloads(store: Path) -> dict[str, Download]:
    """Everything that the store's catalogue says could be fetched."""
    tables = read_tables(store).get("downloads", {})
    return {
        name: Download(name=name, **table | {"files": tuple(table.get("files", ()))})
        for name, table in tables.items()
    }


def find_download(store: Path, name: str) -> Download:
    """The download called `name`; UnknownModel names the ones there are."""
    downloads = read_downloads(store)
    if name not in downloads:
        raise UnknownModel(
            f"nothing called {name!r} can be pulled; there is {', '.join(sorted(downloads))}",
            value=name,
        )
    return downloads[name]


def read_receipt(store: Path, download: Download) -> Receipt | None:
    """The receipt of installed weights; None where there are none."""
    try:
        return Receipt(**json.loads((store / download.receipt).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise DamagedWeights(
            f"{store / download.receipt} is no receipt; pull {download.name} again"
        ) from None


def installed(store: Path, download: Download) -> Receipt:
    """The receipt of installed weights; NotInstalled says how to get them."""
    receipt = read_receipt(store, download)
    if receipt is None:
        raise NotInstalled(
            f"the weights of {download.name} ({download.licence}) are not installed; run: "
            f"{download.command}",
            value=download.name,
        )
    return receipt


def digests(store: Path, download: Download) -> dict[Path, str]:
    """The files of installed weights, with the digests of the receipt; NotInstalled without."""
    receipt = installed(store, download)
    if not download.files:
        return {store / download.weights: receipt.sha256}
    if not receipt.files:
        raise DamagedWeights(
            f"{store / download.receipt} names no files; pull {download.name} again"
        )
    return {store / download.weights / name: sha256 for name, sha256 in receipt.files.items()}


def verified(store: Path, download: Download) -> Path:
    """The path of installed weights, once all bytes have the digests of the receipt.

    Of a backbone it is the folder that `appearance.backbones.open_backbone` opens.
    """
    again = f"pull {download.name} again"
    for path, sha256 in digests(store, download).items():
        check(path, sha256, source="its receipt", again=(again, again))
    return store / download.weights
