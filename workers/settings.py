"""What operators may set, as POINTACTION_* environment variables. README.md has the table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pointaction.choices import chosen
from pointaction.depth.lifters import DEFAULT_DEPTH, LIFTERS
from pointaction.errors import InputError
from pointaction.methods import Precision, Running
from pointaction.models.backends import AUTO, Wish
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.tracking.points import DEFAULT_POINTS, POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER, TRACKERS
from workers.destinations import Destinations
from workers.webhooks import read_secrets

Takes = Literal["jobs", "extract", "both"]  # what a worker takes; both: clips where no job waits

_KNOWN: dict[str, Mapping[str, object]] = {
    "points": POINTS,
    "tracker": TRACKERS,
    "depth": LIFTERS,
}


class Settings(BaseSettings):
    """Shared by the web process and the workers. With no URL set, `pointaction serve` embeds."""

    model_config = SettingsConfigDict(env_prefix="POINTACTION_", extra="ignore", frozen=True)

    data_dir: Path = Path("data")
    model_store: Path = DEFAULT_STORE
    broker_url: str | None = None  # redis://, rediss:// or unix://; noeviction; also job records
    cache_url: str | None = None  # results and tracks; volatile-lru
    blob_url: str | None = None  # clips and overlays: a folder or s3://; default data_dir/blobs
    queue: str = "classify"
    extract_queue: str = (
        "extract"  # clips of data sets, handed out by `pointaction extract --queue`
    )
    takes: Takes = "jobs"  # of a worker

    job_ttl_s: int = 24 * 3600
    result_ttl_s: int = 7 * 24 * 3600
    blob_ttl_s: int = 24 * 3600

    lease_s: float = 10.0  # a worker that has not been heard of for so long has lost its job
    max_attempts: int = 3
    soft_time_limit_s: int = 90
    hard_time_limit_s: int = 120
    visibility_timeout_s: int = 300

    tracks: int = 512  # N, query points per clip
    default_model: str = "default"  # a model, a version of one, or an alias of the store
    points: str = DEFAULT_POINTS  # where a request names none
    tracker: str = DEFAULT_TRACKER
    depth: str = DEFAULT_DEPTH
    device: str = "cpu"  # of the networks that make tracks: cpu, cuda, cuda:1
    precision: Precision = "float32"  # of their large products
    backend: Wish = AUTO  # what computes models of tracks; auto: as `models tune` found
    threads: int = 0  # torch and OpenCV threads per worker process; 0: as many as cores

    max_duration_s: float = 60.0
    max_side: int = 4096
    max_fps: float = 480.0
    max_timeline_s: float = 6 * 3600  # of a video that is looked through for a timeline
    turn_s: float = 45.0  # of a timeline, then others go first; at most half the soft limit
    decode_memory_mb: int = 1024
    decode_cpu_s: int = 20

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _time_limits_are_in_order(self) -> "Settings":
        if not self.soft_time_limit_s < self.hard_time_limit_s < self.visibility_timeout_s:
            raise ValueError(
                "time limits must rise: soft_time_limit_s < hard_time_limit_s < "
                "visibility_timeout_s, else a running job is delivered twice"
            )
        return self

    @field_validator("points", "tracker", "depth")
    @classmethod
    def _is_known(cls, name: str, field: ValidationInfo) -> str:
        try:
            chosen(name, _KNOWN[str(field.field_name)])
        except InputError as error:
            raise ValueError(str(error)) from error
        return name

    @property
    def running(self) -> Running:
        return Running(device=self.device, precision=self.precision)

    def require(self, name: Literal["broker_url", "cache_url"]) -> str:
        """A URL that the embedded stack sets, and that anything else has to be told."""
        url: str | None = getattr(self, name)
        if url is None:
            raise ValueError(
                f"set POINTACTION_{name.upper()} to a Redis, or use `pointaction serve`, "
                "which starts its own"
            )
        return url

    @property
    def blobs(self) -> str:
        return self.blob_url or str((self.data_dir / "blobs").resolve())

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Name of the environment variable -> the setting that it sets."""
        return {f"POINTACTION_{name.upper()}": name for name in cls.model_fields}

    def as_environment(self) -> dict[str, str]:
        """Variables by which another process has these settings; secrets are in the clear."""
        values = {variable: getattr(self, name) for variable, name in self.variables().items()}
        texts = {
            variable: value.get_secret_value() if isinstance(value, SecretStr) else value
            for variable, value in values.items()
        }
        return {variable: str(text) for variable, text in texts.items() if text not in (None, "")}


class WebhookSettings(Settings):
    """As `Settings`, plus what is known to those who take and who send webhooks; workers are not
    among them.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True)  # which may be secrets

    webhook_hosts: str = ""  # comma separated, HOST or HOST:PORT, which may be called; empty: none
    webhook_secret: SecretStr = SecretStr("")  # whsec_...; comma separated while one is replaced
    webhook_http: bool = False  # call them without encryption where a callback_url says http
    webhook_attempts: int = Field(default=12, ge=1)

    @model_validator(mode="after")
    def _webhooks_can_be_sent(self) -> "WebhookSettings":
        destinations, secrets = self.destinations, self.webhook_secrets  # both can be read
        if destinations and not secrets:
            raise ValueError(
                "POINTACTION_WEBHOOK_HOSTS needs POINTACTION_WEBHOOK_SECRET, by which receivers "
                'know who writes; `echo "whsec_$(openssl rand -base64 32)"` makes one'
            )
        return self

    @property
    def destinations(self) -> Destinations:
        return Destinations(self.webhook_hosts, http=self.webhook_http)

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The newest first."""
        return read_secrets(self.webhook_secret.get_secret_value())
