"""Pages to look at runs with: a report in one file, and a dashboard that is served; one code of charts for both."""
