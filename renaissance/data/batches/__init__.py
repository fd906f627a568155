"""From examples to batches: their order, what is put together, and the loader's processes."""
