"""What the workflows that start from sequencing reads have in common; the same files in each."""
