"""A deliverer that may call this machine, run as `python -m tests.workers.sending`."""

import sys

from workers.deliverer import run_deliverer
from workers.post import Network
from workers.settings import WebhookSettings

ANYWHERE = Network(is_public=lambda address: True)
LEASE_S = 1.0

if __name__ == "__main__":
    sys.exit(run_deliverer(WebhookSettings(), network=ANYWHERE, lease_s=LEASE_S))
