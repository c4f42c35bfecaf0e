"""Errors that the user of ``segue corpus``, ``train`` and ``evaluate`` can mend: each names the input, the cause,
the cure."""


class TowersError(ValueError):
    """Base of every such error."""


class CorpusError(TowersError):
    """A corpus folder that is missing, unfinished, of another format, or with features that the code computes
    differently today."""


class RunError(TowersError):
    """A run folder that is missing, unfinished, or does not fit the corpus or the options."""
