"""What a run leaves behind: its folder, metrics, curves, summary, and the observers that watch it."""
