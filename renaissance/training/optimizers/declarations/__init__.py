"""The optimisers, one file each. Every file has `OPTIMIZERS`, its declarations, and loads PyTorch only to build."""
