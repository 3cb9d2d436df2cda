"""What goes into every cache key: results of one pipeline never answer for another."""

PIPELINE_VERSION = "1"  # tokens, models' arithmetic, explanation
LUCAS_KANADE_VERSION = "1"
LOOMING_VERSION = "2"
# The default tracker and depth.
TRACKER_VERSION = f"lucas-kanade-{LUCAS_KANADE_VERSION}+looming-{LOOMING_VERSION}"
