"""What the user of an import can mend: each names the input, the cause, the cure."""

from ..errors import TowersError


class ImportedError(TowersError):
    """A package that cannot be fetched, or that does not hold what it should."""
