"""From trimmed reads to variants over samples."""
