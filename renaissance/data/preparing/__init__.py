"""From raw files, as data sets distribute them, to Arrow tables."""
