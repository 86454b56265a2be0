"""Parameters and the JSON Schema that describes them."""
