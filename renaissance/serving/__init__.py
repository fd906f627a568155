"""The command `serve`: trained models that answer over HTTP."""
