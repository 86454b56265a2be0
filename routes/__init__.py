"""The HTTP API (Flask): one resource per module, over the same services as the portal."""
