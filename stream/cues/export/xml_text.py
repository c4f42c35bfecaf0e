"""Elements as an XML file."""

import xml.etree.ElementTree as ET
from typing import Final

from .texts import CONTROL

HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def element(tag: str, parent: ET.Element | None = None, text: str | None = None, **attributes: object) -> ET.Element:
    """A new element, without what XML cannot have."""
    values = {name.rstrip("_"): clean(str(value)) for name, value in attributes.items()}
    made = ET.Element(tag, values) if parent is None else ET.SubElement(parent, tag, values)
    if text is not None:
        made.text = clean(text)
    return made


def clean(text: str) -> str:
    return CONTROL.sub(" ", text)


def document(root: ET.Element, doctype: str) -> str:
    """The file's text."""
    ET.indent(root)
    return f"{HEAD}<!DOCTYPE {doctype}>\n{ET.tostring(root, encoding='unicode')}\n"
