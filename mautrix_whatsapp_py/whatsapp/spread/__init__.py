"""Sessions spread over the workers that share a database: who has which, and how the leader reaches them."""
