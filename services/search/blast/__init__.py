"""The reports of BLAST, made of what the workflow `sequence-search` publishes."""
