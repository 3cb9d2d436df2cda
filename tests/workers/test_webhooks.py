import json
import time
from dataclasses import replace

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from workers.webhooks import Message, as_text, headers, read_secrets, secret_of

SECRET = bytes(range(32))
MESSAGE = Message(
    job="a" * 32,
    kind="classify",
    state="succeeded",
    finished_at=1_700_000_000.25,
    client="somebody",
    url="https://hooks.example/",
    failures=0,
)


def test_the_end_is_told_and_nothing_of_what_came_out() -> None:
    assert json.loads(MESSAGE.body()) == {
        "type": "job.succeeded",
        "timestamp": "2023-11-14T22:13:20.250Z",
        "data": {
            "job": "a" * 32,
            "kind": "classify",
            "state": "succeeded",
            "links": {"job": f"/jobs/{'a' * 32}"},
        },
    }


def test_what_is_sent_again_is_the_same_message() -> None:
    again = replace(MESSAGE, failures=3)
    assert again.body() == MESSAGE.body()
    first, second = (headers(each, [SECRET], now=now) for each, now in ((MESSAGE, 1), (again, 2)))
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]


def test_the_standard_s_own_library_knows_who_signed() -> None:
    sent = headers(MESSAGE, [SECRET], now=time.time())
    assert Webhook(as_text(SECRET)).verify(MESSAGE.body(), sent)["type"] == "job.succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(as_text(bytes(32))).verify(MESSAGE.body(), sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(as_text(SECRET)).verify(MESSAGE.body() + b" ", sent)


def test_an_old_secret_verifies_as_long_as_it_is_listed() -> None:
    sent = headers(MESSAGE, [b"n" * 32, SECRET], now=time.time())
    for secret in (b"n" * 32, SECRET):
        Webhook(as_text(secret)).verify(MESSAGE.body(), sent)


def test_every_key_has_a_secret_of_its_own() -> None:
    secrets = {secret_of(client, SECRET) for client in ("", "anna", "bert")}
    assert len(secrets | {SECRET}) == 4
    assert secret_of("anna", SECRET) == secret_of("anna", SECRET)


def test_secrets_are_read_from_a_list() -> None:
    assert read_secrets(f"{as_text(SECRET)}, {as_text(b'x' * 24)},") == (SECRET, b"x" * 24)
    assert read_secrets("") == ()


@pytest.mark.parametrize(
    "text", ["whsec_", "whsec_AAAA", as_text(bytes(65)), as_text(SECRET)[6:], "whsec_" + "#" * 44]
)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes") as refused:
        read_secrets(text)
    assert text.removeprefix("whsec_") == "" or text[6:] not in str(refused.value)
