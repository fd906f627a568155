"""What goes on beside the training steps: checkpoints, sheets, progress, early stopping, signals."""
