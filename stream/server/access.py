"""Who may publish, watch and steer: the tokens that a server asks for."""

from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class AccessOptions:
    """The token for each kind of request; empty: none is asked for."""

    publish: str = ""
    view: str = ""
    control: str = ""
