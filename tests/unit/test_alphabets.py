"""Letters of languages: they tell Latin code pages apart where the bytes alone do not."""

from __future__ import annotations

import pytest

from lists.alphabets import of_one_language
from lists.encodings import recognise


@pytest.mark.parametrize(
    ("encoding", "people"),
    [
        ("cp1252", ["Begoña,Peña,Ávila", "Íñigo,Ibáñez,León"]),
        ("cp1252", ["Toño,Núñez,Ourense", "José,García,Málaga", "Ana,Muñoz,A Coruña"]),
        ("cp1252", ["João,Conceição,São Paulo", "Inês,Magalhães,Évora"]),
        ("cp1252", ["Zoë,Daniëls,Coevorden", "Chloé,Hoëvelt,Geleen"]),
        ("cp1250", ["Grażyna,Kamińska,Rzeszów", "Bożena,Pająk,Gdańsk"]),
        ("cp1250", ["Jiří,Dvořák,Plzeň", "Růžena,Němcová,Ústí"]),
        ("cp1254", ["Ayşe,Yılmaz,İstanbul", "Çağrı,Öztürk,Muğla"]),  # noqa: RUF001
        ("cp1257", ["Jānis,Bērziņš,Rīga", "Ilze,Kalniņa,Liepāja"]),
    ],
)
def test_a_short_list_of_one_language_is_read_in_it(encoding: str, people: list[str]) -> None:
    rows = "".join(f"u{row}@mail.example.com,{person}\r\n" for row, person in enumerate(people))
    text = f"email,first_name,last_name,city\r\n{rows}"
    guess = recognise(text.encode(encoding), complete=True)
    assert text.encode(encoding).decode(guess.encoding) == text


def test_no_language_has_the_letters_that_a_wrong_code_page_gives() -> None:
    """Given two Spanish names, then one language of cp1252 has all letters, and none of cp1250 has them."""
    cells = ["Peña".encode("cp1252"), "García".encode("cp1252"), "Müller".encode("cp1252")]
    assert of_one_language("cp1252", cells) == 1.0
    assert of_one_language("cp1250", cells) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("encoding", "cells"), [("cp1251", [b"\xc0"]), ("cp1252", []), ("cp1252", [b"\x81"])])
def test_of_other_code_pages_nothing_is_known(encoding: str, cells: list[bytes]) -> None:
    assert of_one_language(encoding, cells) is None
