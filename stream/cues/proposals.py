"""What a list proposes, and how a proposal ends.

A list proposes the track in first place; with music on air it proposes another one only where it says so: the advice is
to switch to it, or it is named to go on with, since the end is near. What a list repeats is no new proposal.
"""

from stream.core.events import Item, Suggestions


def proposed(suggestions: Suggestions) -> Item | None:
    """The item that is proposed, if any. ``could switch`` proposes nothing yet."""
    items, on_air = suggestions.items, suggestions.on_air
    if not items:
        return None
    if on_air is None:
        return items[0]
    if suggestions.advice == "switch" and items[0].track != on_air.track:
        return items[0]
    return next((item for item in items if item.track == on_air.next), None)


def reasons(item: Item) -> str:
    """Why it is proposed, in one line."""
    return "; ".join(fact.text for fact in item.facts)
