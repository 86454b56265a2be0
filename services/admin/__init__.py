"""Administration: adding workflows, pruning the shared cache."""
