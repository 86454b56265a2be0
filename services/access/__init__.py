"""Authentication and authorization: actors, tokens, sessions, signed links, rate limits."""
