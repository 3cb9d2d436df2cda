"""The networks of few-shot learning, from files that say which one they hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pointaction.errors import InputError
from pointaction.models import files
from pointaction.models.strm import STRM, STRMConfig
from pointaction.models.trokens import Trokens, TrokensConfig
from pointaction.models.trx import TRX, TRXConfig

Network = Trokens | STRM | TRX


def _trokens(**fields: Any) -> Trokens:
    return Trokens(TrokensConfig(**fields))


def _strm(**fields: Any) -> STRM:
    return STRM(STRMConfig(**fields))


def _trx(**fields: Any) -> TRX:
    return TRX(TRXConfig(**fields))


def load_trokens(path: Path) -> Trokens:
    return files.load_network(path, Trokens, _trokens)


def load_strm(path: Path) -> STRM:
    return files.load_network(path, STRM, _strm)


def load_trx(path: Path) -> TRX:
    return files.load_network(path, TRX, _trx)


NETWORKS: dict[str, Callable[[Path], Network]] = {
    "trokens": load_trokens,
    "strm": load_strm,
    "trx": load_trx,
}


def kind(network: Network) -> str:
    """Its name in NETWORKS."""
    return files.name_of(type(network))


def load_network(path: Path) -> Network:
    """The network of a file, as `files.load_network`."""
    held = files.network_in(path)
    if held not in NETWORKS:
        raise InputError(f"{path} holds {held}, none of: {', '.join(NETWORKS)}")
    return NETWORKS[held](path)
