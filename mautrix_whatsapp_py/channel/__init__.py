"""The channel: a linked account as a local API for agents and scripts."""
