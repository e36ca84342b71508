"""The Signal protocol as WhatsApp uses it: X3DH, double ratchet and sender keys."""
