"""All that imports Flask: one resource per module, over the same services as the portal."""
