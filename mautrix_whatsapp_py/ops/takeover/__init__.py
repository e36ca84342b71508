"""Takes over what another bridge, mautrix-whatsapp, left in its database."""
