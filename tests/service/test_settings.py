from pathlib import Path

import pytest
from pydantic import SecretStr

from service.settings import ServiceSettings


def test_keys_are_separated_by_commas() -> None:
    assert ServiceSettings(api_keys=SecretStr(" a, b,,")).keys == ("a", "b")
    assert ServiceSettings(api_keys=SecretStr("")).keys == ()


def test_keys_are_not_shown_in_logs() -> None:
    assert "sesame" not in repr(ServiceSettings(api_keys=SecretStr("sesame")))


def test_a_child_process_reads_what_was_exported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ServiceSettings.model_fields:  # so that all are put back afterwards
        monkeypatch.setenv(f"POINTACTION_{name.upper()}", "")
    settings = ServiceSettings.model_construct(
        **{name: field.get_default() for name, field in ServiceSettings.model_fields.items()}
        | {"data_dir": tmp_path, "api_keys": SecretStr("a,b"), "broker_url": "unix:///s"}
    )
    settings.export()
    assert ServiceSettings() == settings


def test_hosts_to_be_called_need_a_secret() -> None:
    with pytest.raises(ValueError, match="POINTACTION_WEBHOOK_SECRET"):
        ServiceSettings(webhook_hosts="hooks.example", webhook_secret=SecretStr(""))
    with pytest.raises(ValueError, match="HOST or HOST:PORT"):
        ServiceSettings(webhook_hosts="https://hooks.example")


def test_a_bad_secret_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="random bytes") as refused:
        ServiceSettings.model_validate({"webhook_hosts": "", "webhook_secret": "sesame"})
    assert "sesame" not in str(refused.value)
