"""The host: processes, disk, ports, and how Python programs start and end."""
