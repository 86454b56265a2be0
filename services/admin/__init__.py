"""What administrators do: adding workflows, clearing the shared cache."""
