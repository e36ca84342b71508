"""What the server does with stanzas that are no requests."""
