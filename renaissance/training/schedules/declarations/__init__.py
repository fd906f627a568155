"""One file a schedule, each with a `SCHEDULE`."""
