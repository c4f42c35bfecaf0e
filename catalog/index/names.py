"""What an index is called on the command line, without importing any."""

from typing import Final

DEFAULT: Final = "auto"
IN_MEMORY: Final = "flat"  # keeps nothing
PASSWORD: Final = "SEGUE_INDEX_PASSWORD"  # environment variable, for an address without one
