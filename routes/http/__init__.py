"""HTTP for all resources: requests, responses, errors, the API document."""
