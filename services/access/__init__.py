"""Who sends a request and what they may do: actors, tokens, sessions, signed links, rate limits."""
