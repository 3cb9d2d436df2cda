"""What operators may set for the web process, on top of `workers.settings`."""

import os

from pydantic import Field, SecretStr

from workers.settings import Settings


class ServiceSettings(Settings):
    """As `Settings`, plus where to listen, whom to let in and how much to take."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    web_processes: int = Field(default=1, ge=1)
    api_keys: SecretStr = SecretStr("")  # comma separated; none: nobody is asked for a key
    max_upload_mb: float = Field(default=200, gt=0)
    default_wait_s: float = Field(default=20, ge=0)  # POST /classify without `Prefer: wait`
    max_wait_s: float = Field(default=60, ge=0)

    @property
    def keys(self) -> tuple[str, ...]:
        keys = (key.strip() for key in self.api_keys.get_secret_value().split(","))
        return tuple(key for key in keys if key)

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_mb * 1024 * 1024)

    def export(self) -> None:
        """Set the environment so that child processes read these settings."""
        for name in type(self).model_fields:
            variable, value = f"POINTACTION_{name.upper()}", getattr(self, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            if text is None or text == "":
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = str(text)
