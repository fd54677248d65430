"""Parsers of original documents. They run in a one-shot worker without network, fork, exec or writing (see
``parse``)."""

from pai.adapters.documents.limits import Limits
from pai.adapters.documents.parse import parse

__all__ = ["Limits", "parse"]
