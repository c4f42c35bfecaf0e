"""What the user of the studio can mend."""


class StudioError(ValueError):
    """A recipe or request that cannot be rendered; the text names the input, the cause and the cure."""
