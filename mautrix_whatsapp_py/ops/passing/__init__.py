"""Requests that come to a worker which stands by, and are answered by the one that leads."""
