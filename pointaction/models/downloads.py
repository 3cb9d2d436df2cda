"""Weights of others: what could be fetched, what has been, and under which licence. Needs no torch.

`catalog.toml` has one table `[downloads.NAME]` for each. What has been fetched lies in the store's
folder NAME, beside a receipt that says where it came from.
"""

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from pointaction.errors import DamagedWeights, NotInstalled, UnknownModel
from pointaction.models.digests import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Weights that `pointaction models pull` can fetch."""

    name: str
    task: str  # "tracking", "depth" or "appearance"
    builder: str  # key of pointaction.models.networks.NETWORKS
    says: str  # what it is, in one line
    url: str
    licence: str  # SPDX identifier
    commercial_use: bool
    parameters: int
    sha256: str | None = None  # of what lies at `url`; None: what its host announces must do

    @property
    def command(self) -> str:
        """What to type to install it."""
        accept = "" if self.commercial_use else " --accept-licence"
        return f"pointaction models pull {self.name}{accept}"

    @property
    def weights(self) -> Path:
        """Relative to the store."""
        return Path(self.name) / "weights.safetensors"

    @property
    def receipt(self) -> Path:
        """Relative to the store; written last, so that weights without one are no weights."""
        return Path(self.name) / "receipt.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where installed weights came from."""

    source: str  # an address or the name of a file
    source_sha256: str
    sha256: str  # of the weights as they lie in the store
    licence: str  # that was shown and accepted
    pulled: str  # date

    def save(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_downloads(store: Path) -> dict[str, Download]:
    """Everything that the store's catalogue says could be fetched."""
    tables = tomllib.loads((store / "catalog.toml").read_text(encoding="utf-8"))
    return {
        name: Download(name=name, **table) for name, table in tables.get("downloads", {}).items()
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


def verified(store: Path, download: Download) -> Path:
    """The path of installed weights, once their bytes have the digest of the receipt."""
    receipt = installed(store, download)
    path, again = store / download.weights, f"pull {download.name} again"
    check(path, receipt.sha256, source="its receipt", again=(again, again))
    return path
