"""The bundled mongod: its binary, its process and its keeper."""
