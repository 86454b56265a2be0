"""Forms drawn from a JSON Schema, with sample sheets and file fields."""
