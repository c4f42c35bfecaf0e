from pathlib import Path

import pytest

from catalog.errors import SearchIndexError
from catalog.index.address import parse_address, shown_index
from catalog.index.naming import check_name, name_of


def test_an_address_has_its_parts_and_is_shown_without_credentials() -> None:
    address = parse_address("milvus://me:p%40s%2Fs@host:1234/name?tls=1", 19530, ("tls",))
    assert (address.host, address.port, address.path, address.option("tls")) == ("host", 1234, "name", "1")
    assert (address.user, address.password) == ("me", "p@s/s")
    assert str(address) == "milvus://host:1234/name" and "p@s" not in repr(address) and "me:" not in repr(address)
    assert address.hide("wrong: p@s/s") == "wrong: ***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("milvus://host", "milvus://host:9"),
        ("milvus://[::1]:7/a", "milvus://[::1]:7/a"),
        ("milvus://h/", "milvus://h:9"),
    ],
)
def test_what_an_address_leaves_out(text: str, shown: str) -> None:
    address = parse_address(text, 9, (), {})
    assert str(address) == shown and address.user == address.password == "" == address.option("tls")
    assert address.hide("nothing to hide") == "nothing to hide"


def test_a_password_may_be_in_the_environment() -> None:
    environment = {"SEGUE_INDEX_PASSWORD": "there"}
    assert parse_address("milvus://me@host", 9, (), environment).password == "there"
    assert parse_address("milvus://me:here@host", 9, (), environment).password == "here"


@pytest.mark.parametrize(
    "text",
    [
        "milvus://me:secret@host:port/a", "milvus://me:secret@host:70000", "milvus://me:secret@", "milvus://",
        "milvus://me:secret@host/a#secret", "milvus://me:secret@host?secret=1", "milvus://me:secret@host?secret",
        "milvus://[me:secret@host",
    ],
)  # fmt: skip
def test_a_wrong_address_is_told_without_what_it_holds(text: str) -> None:
    with pytest.raises(SearchIndexError, match=r"index milvus://\.\.\.: the address") as raised:
        parse_address(text, 9, ("tls",))
    assert ("secret" not in str(raised.value) and raised.value.__suppress_context__) or raised.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("flat", "flat"), ("milvus://a:b@c:1/d?e=f", "milvus://c:1/d"), ("postgres://a@b@c/d", "postgres://c/d"),
        ("postgres://c/d#e", "postgres://c/d"),
    ],
)  # fmt: skip
def test_an_index_is_shown_without_credentials(name: str, shown: str) -> None:
    assert shown_index(name) == shown


def test_a_catalogue_has_one_name_for_ever(tmp_path: Path) -> None:
    name = name_of(tmp_path / "one")
    assert name == name_of(tmp_path / "one") != name_of(tmp_path / "two")
    assert check_name(name, "here") == name and sorted(p.name for p in (tmp_path / "one" / "index").iterdir()) == [
        "identity"
    ]


def test_a_catalogue_that_cannot_be_given_a_name(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file")
    with pytest.raises(SearchIndexError, match=r"identity.*name the collection in the address"):
        name_of(tmp_path)


@pytest.mark.parametrize("name", ["", "1a", "a-b", 'a"; DROP TABLE', "ä", "a" * 49])
def test_names_that_no_server_takes(name: str) -> None:
    with pytest.raises(SearchIndexError, match=r"here: .*is no name"):
        check_name(name, "here")
