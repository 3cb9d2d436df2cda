"""What is said of a job's end, and how it is signed: Standard Webhooks, standardwebhooks.com.

Every API key has a signing secret of its own, made from the operator's, so that who receives for
one key can forge nothing for another.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

PREFIX = "whsec_"
_LENGTHS = (24, 64)  # bytes of a secret, as the standard has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The end of a job, for whoever asked to be told."""

    job: str
    kind: str  # of job
    state: str  # succeeded, failed or cancelled
    finished_at: float  # seconds since the epoch
    client: str  # id of the key that the job belongs to; empty: it was made without one
    url: str
    failures: int  # how often it was tried for nothing

    @property
    def id(self) -> str:
        """The same however often it is sent: a job ends once."""
        return f"msg_{self.job}"

    def body(self) -> bytes:
        """The same however often it is sent. What came out is to be asked for, with the key."""
        moment = datetime.fromtimestamp(self.finished_at, UTC)
        said = {
            "type": f"job.{self.state}",
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": {
                "job": self.job,
                "kind": self.kind,
                "state": self.state,
                "links": {"job": f"/jobs/{self.job}"},
            },
        }
        return json.dumps(said, separators=(",", ":")).encode()


def read_secrets(text: str) -> tuple[bytes, ...]:
    """The secrets of a list separated by commas; ValueError, which repeats none of them."""
    return tuple(_secret(each.strip()) for each in text.split(",") if each.strip())


def secret_of(client: str, secret: bytes) -> bytes:
    """What signs the messages of a key with this id, by the operator's secret; 32 bytes."""
    return hmac.digest(secret, f"pointaction webhooks\n{client}".encode(), hashlib.sha256)


def as_text(secret: bytes) -> str:
    """As receivers' libraries take it."""
    return PREFIX + base64.b64encode(secret).decode()


def headers(message: Message, secrets: Sequence[bytes], *, now: float) -> dict[str, str]:
    """Of the message sent at `now`, in seconds since the epoch, signed by each of the secrets."""
    timestamp = int(now)
    signed = f"{message.id}.{timestamp}.".encode() + message.body()
    signatures = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(signature).decode()}" for signature in signatures
        ),
    }


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    least, most = _LENGTHS
    if not text.startswith(PREFIX) or not least <= len(secret) <= most:
        raise ValueError(
            f"a webhook secret is {PREFIX} and the base64 of {least} to {most} random bytes, as of "
            f'`echo "{PREFIX}$(openssl rand -base64 32)"`'
        )
    return secret
