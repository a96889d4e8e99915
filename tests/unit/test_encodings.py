"""Encodings of lists: which one a file has, how sure that is, and which names a caller may use."""

from __future__ import annotations

import pytest

from lists import encodings
from lists.encodings import SURE, detect, foreign_lines, named, recognise, samples
from lists.errors import UnusableList

#: Twelve languages: an encoding that lists in it come in, and people and cities.
PEOPLE = {
    "russian cp1251": ("cp1251", ["Анна,Кузнецова,Екатеринбург", "Иван,Петров,Москва", "Юлия,Щербакова,Тверь"]),
    "russian koi8-r": ("koi8-r", ["Анна,Кузнецова,Екатеринбург", "Иван,Петров,Москва", "Юлия,Щербакова,Тверь"]),
    "russian cp866": ("cp866", ["Анна,Кузнецова,Екатеринбург", "Иван,Петров,Москва", "Юлия,Щербакова,Тверь"]),
    "japanese shift-jis": ("cp932", ["あすか,前田,江戸川区", "裕美子,佐藤,香取市", "ケンジ,木村,横浜市西区"]),
    "japanese euc-jp": ("euc_jp", ["あすか,前田,江戸川区", "裕美子,佐藤,香取市", "ケンジ,木村,横浜市西区"]),
    "japanese iso-2022-jp": ("iso2022_jp", ["あすか,前田,江戸川区", "裕美子,佐藤,香取市", "けんじ,木村,横浜市西区"]),
    "chinese big5": ("big5", ["雅婷,陳,臺北市", "志明,林,高雄市", "怡君,黃,臺中市"]),
    "chinese gb18030": ("gb18030", ["秀英,张,北京市", "建华,杨,西安市", "小红,赵,沈阳县"]),
    "korean euc-kr": ("euc_kr", ["지훈,김,서울특별시", "서연,이,부산광역시", "민준,박,대구광역시"]),
    "polish cp1250": ("cp1250", ["Małgorzata,Wiśniewska,Łódź", "Paweł,Dąbrowski,Gdańsk", "Zośka,Wójcik,Kraków"]),
    "polish iso-8859-2": ("iso8859-2", ["Małgorzata,Wiśniewska,Łódź", "Paweł,Dąbrowski,Gdańsk", "Zośka,Wójcik,Kraków"]),
    "czech cp1250": ("cp1250", ["Jiří,Dvořák,Plzeň", "Kateřina,Černá,Ústí", "Tomáš,Růžička,Děčín"]),
    "hungarian cp1250": ("cp1250", ["László,Szűcs,Győr", "Erzsébet,Kőműves,Hódmezővásárhely", "Zoltán,Tóth,Pécs"]),
    "greek cp1253": ("cp1253", ["Γιώργος,Παπαδόπουλος,Αθήνα", "Ελένη,Νικολάου,Θεσσαλονίκη", "Νίκος,Γεωργίου,Πάτρα"]),
    "turkish cp1254": ("cp1254", ["Ayşe,Yılmaz,İstanbul", "Çağrı,Öztürk,Eskişehir", "Gülşah,Şahin,Muğla"]),  # noqa: RUF001
    "hebrew cp1255": ("cp1255", ["דוד,כהן,ירושלים", "שרה,לוי,חיפה", "משה,מזרחי,באר שבע"]),
    "arabic cp1256": ("cp1256", ["محمد,الأحمد,الرياض", "فاطمة,العلي,جدة", "خالد,السعيد,الدمام"]),
    "german cp1252": ("cp1252", ["Jörg,Müller,Köln", "Käthe,Groß,Düsseldorf", "Sören,Weiß,Nürnberg"]),
    "french cp1252": ("cp1252", ["Hélène,Lefèvre,Besançon", "François,Gérard,Orléans", "Noël,Béranger,Nîmes"]),
    "french mac-roman": ("mac-roman", ["Hélène,Lefèvre,Besançon", "François,Gérard,Orléans", "Noël,Béranger,Nîmes"]),
    "german mac-roman": ("mac-roman", ["Jörg,Müller,Köln", "Käthe,Groß,Düsseldorf", "Sören,Weiß,Nürnberg"]),
    "thai cp874": ("cp874", ["สมชาย,ใจดี,กรุงเทพ", "สมหญิง,รักไทย,เชียงใหม่", "วิชัย,มั่นคง,ขอนแก่น"]),
}


def a_list(people: list[str], rows: int) -> str:
    body = (f"u{row}@mail.example.com,{people[row % len(people)]}\r\n" for row in range(rows))
    return "email,first_name,last_name,city\r\n" + "".join(body)


@pytest.mark.parametrize("language", PEOPLE)
@pytest.mark.parametrize("rows", [6, 60, 2000])
def test_a_list_in_its_language(language: str, rows: int) -> None:
    """Given a list with ASCII headers and addresses / Then its people are read as they were written."""
    encoding, people = PEOPLE[language]
    text = a_list(people, rows)
    guess = recognise(text.encode(encoding), complete=True)
    assert text.encode(encoding).decode(guess.encoding) == text
    assert guess.confidence > 0.5


def test_a_value_counts_once() -> None:
    """Given three different people / Then a thousand rows of them are no more certain than six; other people are."""
    few = PEOPLE["french cp1252"][1]
    vowels = "éèêëàâîïôöùûüÿç"
    many = [f"Ren{one},B{other}ranger,N{one}mes" for one in vowels for other in vowels]
    short, long, other = (
        recognise(a_list(people, rows).encode("cp1252"), complete=True).confidence
        for people, rows in ((few, 6), (few, 1000), (many, 1000))
    )
    assert short == long < SURE <= other


@pytest.mark.parametrize("name", ["Иван", "Zoé", "Łódź"])
def test_one_word_is_a_guess_unless_it_is_utf_8(name: str) -> None:
    """Given one name / Then in UTF-8 it is certain, and in a code page never quite."""
    for encoding, sure in (("utf-8", True), ("cp1251" if name == "Иван" else "cp1250", False)):
        found = recognise(f"email,name\na@x.test,{name}\n".encode(encoding), complete=True)
        assert (found.confidence == 1.0) is sure


def test_ascii_is_utf_8() -> None:
    assert recognise(b"email,name\na@x.test,Ann\n", complete=True) == ("utf-8", 1.0)
    assert recognise(b"", complete=True) == ("utf-8", 1.0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "gb18030"])
def test_a_byte_order_mark_is_certain(encoding: str) -> None:
    assert recognise("\ufeffemail,名前\n".encode(encoding), complete=True) == (encoding, 1.0)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("name", ["Ann", "Иван", "田中", "😀"])
def test_wide_text_without_a_mark(encoding: str, name: str) -> None:
    head = f"email,name\r\na@x.test,{name}\r\n".encode(encoding)
    assert recognise(head, complete=True) == (encoding, 1.0)


def test_utf_8_that_is_cut_in_a_character() -> None:
    head = "email,name\na@x.test,é".encode()[:-1]
    assert recognise(head, complete=False) == ("utf-8", 1.0)


def test_a_bad_line_among_good_ones_is_utf_8_still() -> None:
    """Given nine lines in UTF-8 and one in cp1252 / Then the file is UTF-8, and the confidence says how much of it."""
    good = "".join(f"u{n}@x.test,Zoë\n" for n in range(9)).encode()
    guess = recognise(b"email,name\n" + good + "x@x.test,José\n".encode("cp1252"), complete=True)
    assert (guess.encoding, guess.confidence) == ("utf-8", 0.9)


def test_escape_without_japanese_is_ascii() -> None:
    assert recognise(b"email,name\na@x.test,\x1b$B\n", complete=True).encoding == "utf-8"


def test_the_sample_is_bounded() -> None:
    """Given 4 MB of lines with other than ASCII characters / Then 256 kB of them are looked at."""
    head = "u@x.test,Müller\r\n".encode("cp1252") * 240_000
    assert sum(map(len, foreign_lines(head))) < encodings.SAMPLE_BYTES + 100


def test_a_cut_last_line_is_left_out() -> None:
    assert foreign_lines("a,é\nb,ø".encode()) == ["a,é".encode()]
    assert foreign_lines("b,ø".encode()) == ["b,ø".encode()]


def test_chinese_and_japanese_have_the_same_bytes() -> None:
    """Given kanji that GB18030 has too / Then rows that Chinese does not do without tell them apart."""
    japanese = [line.encode("euc_jp") for line in ["木村,横浜市西区,佐藤,香取市,前田"]]
    chinese = [line.encode("gb18030") for line in ["张,杨,赵,徐,沈阳县,西安市,北京"]]
    assert detect(japanese).encoding == "euc_jp"
    assert detect(chinese).encoding == "gb18030"


def test_few_characters_that_are_chinese_or_japanese_are_never_sure() -> None:
    assert detect(["a@x.test,木村".encode("euc_jp")]).confidence <= 0.5


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("UTF8", "utf-8"),
        (" utf-8-sig ", "utf-8"),
        ("us-ascii", "utf-8"),
        ("windows-1251", "cp1251"),
        ("latin1", "iso8859-1"),
        ("Shift-JIS", "shift_jis"),
        ("macintosh", "mac-roman"),
        ("KOI8-R", "koi8-r"),
        ("utf-16", "utf-16"),
    ],
)
def test_an_encoding_has_many_names(alias: str, name: str) -> None:
    assert named(alias) == name


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", "idna", "unicode_escape", "a\0b", "", "x" * 100, "é"])
def test_what_is_no_encoding_of_a_file_is_refused(name: str) -> None:
    with pytest.raises(UnusableList, match="unknown; name one such as utf-8") as caught:
        named(name)
    assert repr(name[:40]) in caught.value.detail


def test_samples_are_different_values_without_addresses() -> None:
    text = '\ufeffemail;name;city\njosé@x.test;"Zoë";Köln\nb@x.test;Zoë;"Łódź"\nc@x.test;Ann;Århus\n'
    assert samples(text) == ["Zoë", "Köln", "Łódź"]
    assert samples("email\na@x.test\n") == []
    assert samples("é" * 100) == ["é" * 60]
