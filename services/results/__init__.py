"""Published results: manifests, archives, RO-Crates and reports."""
