"""A Matrix-WhatsApp bridge that loses nothing and doubles nothing."""

__version__ = "0.1.0"
