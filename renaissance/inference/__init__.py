"""What a trained model is used for without its data."""
