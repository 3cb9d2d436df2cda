"""Where a caller wants to be told that a job has ended."""

from collections.abc import Mapping
from typing import Any

from service.problems import Refused
from service.settings import ServiceSettings
from service.uploads import MAX_TEXT_BYTES

FIELD: dict[str, Any] = {
    "callback_url": {
        "type": "string",
        "format": "uri",
        "maxLength": MAX_TEXT_BYTES,
        "description": "told of the job's end, by POST and signed as Standard Webhooks has it; "
        "GET /callbacks/secret says by what. On a host that the operator has allowed",
    }
}


def callback_url(fields: Mapping[str, str], settings: ServiceSettings) -> str:
    """The URL, once it is one that may be called; empty where none was sent."""
    url = fields.get("callback_url")
    if url is None:
        return ""
    destinations = settings.destinations
    if not destinations:
        raise off()
    destinations.at(url)
    return url


def off() -> Refused:
    """Why nobody is called."""
    return Refused(
        "webhooks-off",
        "this server calls nobody back: its operator has set no POINTACTION_WEBHOOK_HOSTS. Follow "
        "the job at /jobs/{id}/events",
    )
