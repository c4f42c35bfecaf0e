"""Errors that the user of an import can mend: each names the input, the cause, the cure."""

from ..errors import TowersError


class ImportedError(TowersError):
    """A package that cannot be fetched, or whose content is wrong."""
