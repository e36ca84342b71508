"""The channel over HTTP."""
