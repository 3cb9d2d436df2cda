"""`python -m pointaction` is `pointaction`."""

from pointaction.cli import main

main()
