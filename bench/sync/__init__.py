"""The first synchronisation of an account, against what the homeserver alone takes for the same."""
