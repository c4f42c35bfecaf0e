"""Licences as people write them, and which of them somebody wants who asks for one."""

import pytest

from catalog.licence import matches, normalise


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CC-BY 4.0 see https://creativecommons.org/licenses/by/4.0/legalcode", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-nc-nd/2.5/", "CC-BY-NC-ND-2.5"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/deed.de", "CC-PDM-1.0"),
        ("creativecommons.org/licenses/by/3.0/us/", "CC-BY-3.0"),
        ("CC0", "CC0-1.0"),
        ("cc0 1.0 Universal", "CC0-1.0"),
        ("Creative Commons Zero v1.0 Universal", "CC0-1.0"),
        ("CC-BY-NC-SA", "CC-BY-NC-SA"),
        ("cc by-sa-nc 4.0", "CC-BY-NC-SA-4.0"),
        ("Attribution 4.0 International (CC BY 4.0)", "CC-BY-4.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivs 3.0", "CC-BY-NC-ND-3.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International License", "CC-BY-NC-ND-4.0"),
        ("Creative Commons: Attribution Share Alike", "CC-BY-SA"),
        ("This work is in the Public Domain.", "public domain"),
        ("this is not in the public domain", "this is not in the public domain"),
        ("all rights reserved", "all rights reserved"),
        ("(c) 2020 CCByte Records", "(c) 2020 CCByte Records"),
        ("proper attribution 4.0", "proper attribution 4.0"),
        ("GPL-2.0-or-later", "GPL-2.0-or-later"),
        ("", ""),
    ],
)
def test_one_spelling(text: str, name: str) -> None:
    assert normalise(text) == name
    assert normalise(name) == name


@pytest.mark.parametrize(
    ("wanted", "licence"),
    [
        ("CC0", "CC0-1.0"),
        ("cc0", "CC0-1.0"),
        ("CC0-1.0", "CC0"),
        ("CC-BY", "CC-BY-4.0"),
        ("cc by", "CC-BY-3.0"),
        ("CC-BY-4.0", "CC BY 4.0"),
        ("CC-BY-NC", "CC-BY-NC-4.0"),
        ("all rights reserved", "All rights reserved"),
        ("Public Domain", "public domain"),
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
    ],
)
def test_a_family_finds_its_versions(wanted: str, licence: str) -> None:
    assert matches(wanted, licence)


@pytest.mark.parametrize(
    ("wanted", "licence"),
    [
        ("CC-BY", "CC-BY-NC-4.0"),
        ("CC-BY", "CC-BY-SA-4.0"),
        ("CC-BY-NC", "CC-BY-4.0"),
        ("CC-BY-4.0", "CC-BY-3.0"),
        ("CC-BY-4.0", "CC-BY"),
        ("CC0", "CC-BY-4.0"),
        ("CC0", ""),
        ("", "CC0"),
        ("", ""),
        ("CC", "CC0-1.0"),
    ],
)
def test_what_asks_for_more_or_less_is_not_found(wanted: str, licence: str) -> None:
    assert not matches(wanted, licence)
