"""Renaissance: vision-language pretraining, fine-tuning and testing on one command line."""

__version__ = "0.2.0"
