"""From files to batches: Arrow tables, images, text, data sets. Knows nothing of models and tasks."""
