"""The host: processes, disk space, ports, and how Python programs start and end."""
