"""What goes into every cache key: results of one pipeline never answer for another."""

PIPELINE_VERSION = "1"  # tokens, models' arithmetic, explanation
TRACKER_VERSION = "lucas-kanade-1+looming-2"  # the default tracker and depth
