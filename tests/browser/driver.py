"""What tests need of Playwright. Modules that import this are skipped where it is missing."""

import pytest

try:
    from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
except ImportError:
    pytest.skip("Playwright is missing: pip install playwright", allow_module_level=True)

__all__ = ["Browser", "Locator", "Page", "expect", "sync_playwright"]

WAIT_MS = 45_000  # for a job to end on a busy machine

expect.set_options(timeout=WAIT_MS)
