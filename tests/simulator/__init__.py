"""A WhatsApp server on loopback for tests; its public face is `tests.simulator.api`.

This module stays empty of imports: the launcher must start without loading the client library.
"""
