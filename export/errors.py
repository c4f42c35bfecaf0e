"""Errors that the user of ``segue export`` can mend."""


class ExportError(ValueError):
    """A run that cannot become a bundle, or a place where the bundle cannot be written."""
