"""Workflows on disk: their layout, schemas, requirements and software."""

from services.catalogue.catalogue import Catalogue

__all__ = ["Catalogue"]
