"""A conversation, measured: the homeserver alone and with the bridge in between, in one run."""
