"""Files through the bridge, measured beside the bare homeserver."""
