"""The process that tells of ended jobs whoever asked to be told (`pointaction webhooks`).

Of its own, so that neither a worker nor the web process waits for strangers, and so that where
many machines are it alone needs a way out to the internet. Any number of them may run.
"""

import random
import signal
import sys
import threading
import time
from dataclasses import replace

import redis

from pointaction.errors import InputError
from workers import logs, webhooks
from workers.logs import logger
from workers.outbox import LEASE_S, Outbox
from workers.post import Answer, Network, post
from workers.settings import WebhookSettings
from workers.webhooks import Message

_AT_ONCE = 8
_LOOK_EVERY_S = 1.0
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 3600.0
_LONGEST_WAIT_S = 86400.0  # which a receiver may ask for
_REST_S = 30.0  # a host that does not answer is let alone, so that others need not wait behind it
_GONE = 410  # the receiver wants no more of this

log = logger(__name__)


class Deliverer:
    """Sends what is due. A message is sent until it is taken: answered by 2xx.

    Given up is one that was tried as often as may be, that is answered by 410, whose host may no
    longer be called, or whose job is gone.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        network: Network | None = None,
        lease_s: float = LEASE_S,
        generator: random.Random | None = None,
    ) -> None:
        self.outbox = Outbox.open(settings, lease_s=lease_s)
        self.destinations = settings.destinations
        self.secrets = settings.webhook_secrets
        self.attempts = settings.webhook_attempts
        self.network = network or Network()
        self.generator = generator or random.Random()
        self._resting: dict[str, float] = {}  # host -> until when, by time.monotonic
        self._stop = threading.Event()

    def run(self) -> None:
        """Send until `stop` is called; what is being sent then is sent to its end."""
        senders = [
            threading.Thread(target=self._send_on, name=f"sender-{n}", daemon=True)
            for n in range(_AT_ONCE)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def stop(self) -> None:
        self._stop.set()

    def _send_on(self) -> None:
        found = True
        while not self._stop.wait(0 if found else _LOOK_EVERY_S):
            try:
                found = self.round()
            except redis.RedisError as error:
                log.warning("webhooks put off: no broker", error=str(error))
                found = False
            except Exception:  # a thread that dies unseen would leave messages lying for ever
                log.exception("webhook not sent")
                found = False

    def round(self) -> bool:
        """Send the message that has been due for longest; False when none is."""
        message = self.outbox.claim()
        if message is None:
            return False
        try:
            destination = self.destinations.at(message.url)
        except InputError as error:  # the operator has thought better of it
            self._drop(message, str(error))
            return True
        host = destination.authority
        rest_s = self._resting.get(host, 0.0) - time.monotonic()
        if rest_s > 0:
            self.outbox.put_off(message, rest_s, failed=False)
            return True
        secrets = [webhooks.secret_of(message.client, secret) for secret in self.secrets]
        signed = webhooks.headers(message, secrets, now=time.time())
        try:
            answer = post(destination, message.body(), signed, network=self.network)
        except OSError as error:
            self._resting[host] = time.monotonic() + _REST_S
            self._failed(message, host, str(error))
        else:
            self._resting.pop(host, None)
            self._answered(message, host, answer)
        return True

    def _answered(self, message: Message, host: str, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            self.outbox.delivered(message)
            log.info("webhook delivered", job=message.job, host=host, failures=message.failures)
        elif answer.status == _GONE:
            self._drop(message, f"answered {_GONE}")
        else:
            self._failed(message, host, f"answered {answer.status}", answer.retry_after_s)

    def _failed(
        self, message: Message, host: str, why: str, retry_after_s: float | None = None
    ) -> None:
        asked_s = min(retry_after_s or 0.0, _LONGEST_WAIT_S)
        wait_s = max(pause_s(message.failures, self.generator), asked_s)
        self.outbox.put_off(message, wait_s, failed=True)  # which counts it, the last time too
        tried = replace(message, failures=message.failures + 1)
        if tried.failures >= self.attempts:
            self._drop(tried, why)
            return
        log.warning(
            "webhook failed; it will be tried again",
            job=message.job,
            host=host,
            why=why,
            failures=tried.failures,
            in_s=round(wait_s),
        )

    def _drop(self, message: Message, why: str) -> None:
        self.outbox.drop(message)
        log.warning("webhook given up", job=message.job, why=why, failures=message.failures)


def pause_s(failures: int, generator: random.Random) -> float:
    """How long to wait after so many failures and one more: 5 s, 15 s, 45 s and on to an hour,
    each half as long or half as long again, so that many do not come back at once.
    """
    return min(_FIRST_PAUSE_S * 3.0 ** min(failures, 9), _LONGEST_PAUSE_S) * generator.uniform(
        0.5, 1.5
    )


def run_deliverer(
    settings: WebhookSettings, *, network: Network | None = None, lease_s: float = LEASE_S
) -> int:
    """Send until SIGTERM or SIGINT; returns the exit code. To be called in a main thread."""
    logs.configure(settings)
    if not settings.destinations:
        log.error("nobody may be called: set POINTACTION_WEBHOOK_HOSTS")
        return 1
    deliverer = Deliverer(settings, network=network, lease_s=lease_s)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda signum, frame: deliverer.stop())
    deliverer.run()
    return 0


if __name__ == "__main__":
    sys.exit(run_deliverer(WebhookSettings()))
