"""Composition root: configuration -> adapters -> bridge -> servers."""
