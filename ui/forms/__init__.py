"""Forms built from JSON Schema: fields, sample sheets, files."""
