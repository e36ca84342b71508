"""Requests of clients, one module per namespace family."""
