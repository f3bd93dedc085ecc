"""The lines of metrics.jsonl: made of events, read again, summarised and plotted."""
