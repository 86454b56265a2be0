"""What the page of a run shows, one tab per module."""
