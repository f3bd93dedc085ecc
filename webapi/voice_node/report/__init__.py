"""metrics.jsonl read back: percentiles and plots."""
