"""The HTTP layer of all resources: requests, responses, errors, the API document."""
