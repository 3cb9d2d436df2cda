from pathlib import Path

import pytest
from pydantic import SecretStr

from workers.launch import environment
from workers.settings import Settings, WebhookSettings
from workers.webhooks import as_text


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTACTION_LEASE_S", "2.5")
    monkeypatch.setenv("POINTACTION_DATA_DIR", "/somewhere")
    settings = Settings()
    assert (settings.lease_s, settings.data_dir) == (2.5, Path("/somewhere"))


@pytest.mark.parametrize(
    "limits",
    [
        {"soft_time_limit_s": 120},
        {"hard_time_limit_s": 300},
        {"visibility_timeout_s": 100},
    ],
)
def test_time_limits_out_of_order_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="time limits must rise"):
        Settings.model_validate(limits)


def test_blobs_lie_in_the_data_folder_unless_told_otherwise(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).blobs == str(tmp_path / "blobs")
    assert Settings(data_dir=tmp_path, blob_url="s3://bucket").blobs == "s3://bucket"


def test_a_worker_s_environment_says_what_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, broker_url="redis://here", lease_s=0.5)
    monkeypatch.setenv("POINTACTION_BLOB_URL", "s3://not-this-one")
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("POINTACTION_BLOB_URL")
    assert "POINTACTION_BLOB_URL" not in environment(settings)
    assert Settings() == settings


def test_a_worker_is_not_told_what_signs_webhooks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = as_text(bytes(32))
    monkeypatch.setenv("POINTACTION_WEBHOOK_SECRET", secret)
    settings = WebhookSettings(data_dir=tmp_path, webhook_secret=SecretStr(secret))
    assert secret not in environment(settings).values()
    assert environment(settings, WebhookSettings)["POINTACTION_WEBHOOK_SECRET"] == secret


@pytest.mark.parametrize(
    ("field", "first"),
    [("points", "random, grid"), ("tracker", "lucas-kanade"), ("depth", "looming")],
)
def test_an_unknown_choice_is_refused_with_those_there_are(field: str, first: str) -> None:
    with pytest.raises(ValueError, match=f"'guess' is not one of: {first}"):
        Settings.model_validate({field: "guess"})
