"""Arrow tables: written, found, opened by memory map and read value by value."""
