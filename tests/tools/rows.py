"""Rows of the page's list, as a person points at them, and the switch beside them."""

from typing import Any


def hold(page: Any) -> None:
    """Point at the list: until `let_go` it holds still, and no row leaves it."""
    page.hover("#list")


def let_go(page: Any) -> None:
    """Point elsewhere: the list follows again."""
    page.mouse.move(1, 1)


def row_of(page: Any, place: int) -> Any:
    """The element of the row that stands at ``place`` now: it stays its track's, wherever the next list puts it."""
    return page.locator(".row").nth(place).element_handle()


def text_of(row: Any, selector: str) -> str:
    """The text of a part of a row."""
    return str(row.query_selector(selector).inner_text())


def press(row: Any, selector: str) -> None:
    """Press a button of a row: the very one, even while the row glides to another place, where a click by coordinates
    may meet its neighbour."""
    row.query_selector(selector).evaluate("button => button.click()")


def play_row(row: Any) -> None:
    """Press play as a hand does, which a browser asks for before there is sound, once the row stands still."""
    row.query_selector(".play").click()


def turn_auto(page: Any, on: bool) -> None:
    """Turn the switch: the very one, wherever the page has moved it, and whatever the server says of it meanwhile."""
    page.locator("#auto").evaluate("(box, on) => { if (box.checked !== on) box.click(); }", on)
