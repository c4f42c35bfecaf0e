"""All cues of a session as JSON, as ``/api/cues/ID`` gives them."""

import json

from ..lines import session_object
from .sheet import Sheet


def make(sheet: Sheet) -> str:
    """The file's text: the whole session, whatever the options ask for."""
    return json.dumps(session_object(sheet.session), ensure_ascii=False, indent=1) + "\n"
