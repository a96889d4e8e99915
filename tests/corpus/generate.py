"""Writes the corpus: lists as other programs export them, after their documented columns. All people are invented.

python -m tests.corpus.generate
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.support import spreadsheets
from tests.support.spreadsheets import cell, ods, row, with_table_of_texts

FOLDER: Final = Path(__file__).parent

_WEST: Final = (
    *("Jörg Müller/Köln", "Zoë Lefèvre/Besançon", "François Gérard/Orléans", "Käthe Groß/Düsseldorf"),
    *("Sören Weiß/Nürnberg", "Hélène Béranger/Nîmes", "Núria Peña/Córdoba", "Åse Sørensen/Tromsø"),
    *("Noël Dupré/Épinal", "Jürgen Schäfer/Würzburg", "María Muñoz/León", "Björn Ångström/Malmö"),
)
_POLAND: Final = (
    *("Małgorzata Wiśniewska/Łódź", "Paweł Dąbrowski/Gdańsk", "Zośka Wójcik/Kraków", "Łukasz Żak/Poznań"),
    *("Grażyna Kamińska/Rzeszów", "Michał Jabłoński/Toruń", "Agnieszka Król/Białystok", "Sławomir Gąsior/Świdnica"),
    *("Elżbieta Łukasiewicz/Częstochowa", "Bożena Pająk/Żywiec", "Świętosława Sęk/Suwałki", "Wiesław Źrebiec/Mińsk"),
    *("Stanisław Głąb/Wrocław", "Łucja Dąbek/Ełk", "Mieczysław Kłos/Zamość", "Grażyna Żółć/Bełchatów"),
)
_RUSSIA: Final = (
    *("Анна Кузнецова/Екатеринбург", "Иван Петров/Москва", "Юлия Щербакова/Тверь", "Олег Смирнов/Казань"),
    *("Дарья Волкова/Самара", "Пётр Ильин/Пермь"),
)
_JAPAN: Final = (
    *("あすか 前田/江戸川区", "裕美子 佐藤/香取市", "ケンジ 木村/横浜市西区", "さくら 小林/京都市"),
    *("翔太 山田/札幌市", "みゆき 伊藤/福岡市"),
)


class Export(NamedTuple):
    """One file of the corpus: the format and encodings that it must be recognised as, and how to make it."""

    format: str
    encodings: tuple[str, ...]
    make: Callable[[], bytes]


class Person(NamedTuple):
    """One row of an export."""

    number: int
    first: str
    last: str
    city: str

    @property
    def email(self) -> str:
        return f"contact{self.number}@example.com"


def _people(names: Sequence[str]) -> list[Person]:
    split = (name.replace("/", " ", 1).split(" ", 2) for name in names)
    return [Person(number, first, last, city) for number, (first, last, city) in enumerate(split, 1)]


def _table(header: str, cells: Callable[[Person], Sequence[object]], names: Sequence[str] = _WEST) -> list[list[str]]:
    return [header.split(","), *([str(value) for value in cells(person)] for person in _people(names))]


def _csv(table: list[list[str]], encoding: str = "utf-8", end: str = "\r\n", **form: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, **form).writerows(table)
    return text.getvalue().encode(encoding)


def _contacts(person: Person) -> Sequence[object]:
    return (person.email, person.first, person.last, person.city)


_HUBSPOT = _table(
    "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status,City,Create Date",
    lambda p: (51_000_000 + p.number, p.first, p.last, p.email, "", "", "New", p.city, "2026-11-27 09:30"),
)
_MAILCHIMP = _table(
    "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,LEID,EUID,TAGS",
    lambda p: (p.email, p.first, p.last, p.city, "", "", 2, "2026-01-05 10:11:12", "", 1000 + p.number, "a1", '"shop"'),
)
_SALESFORCE = _table(
    "Contact ID,Salutation,First Name,Last Name,Mailing City,Email",
    lambda p: (f"0035g00000AbC{p.number:02}", "", p.first, p.last, p.city, p.email),
)
_GOOGLE = _table(
    "First Name,Middle Name,Last Name,Nickname,Birthday,Notes,Labels,E-mail 1 - Label,E-mail 1 - Value,City",
    lambda p: (p.first, "", p.last, "", "", "", "* myContacts", "* ", p.email, p.city),
)
_OUTLOOK = _table(
    "Title,First Name,Middle Name,Last Name,Company,Home City,E-mail Address,E-mail Type,E-mail Display Name",
    lambda p: ("", p.first, "", p.last, "", p.city, p.email, "SMTP", f"{p.first} {p.last}"),
)
_SHOPIFY = _table(
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address City,Phone,Total Spent,Tags",
    lambda p: (f"'70{p.number}", p.first, p.last, p.email, "yes", p.city, "'+4915112345", "12.50", "vip, shop"),
)
_WOOCOMMERCE = _table(
    "Name,Username,Last active,Date registered,Email,Orders,Total spend,AOV,Country / Region,City,Region,Postal code",
    lambda p: (
        f"{p.first} {p.last}",
        f"u{p.number}",
        "2026-11-01",
        "2026-01-05",
        p.email,
        2,
        25,
        12.5,
        "",
        p.city,
        "",
        "",
    ),
)
_EXCEL = _table("E-Mail-Adresse,Vorname,Nachname,Ort", _contacts)
_NUMBERS = _table("email,first name,last name,city", _contacts)


def _zip_of(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def _ods(table: list[list[str]]) -> bytes:
    tail = '<table:table-cell table:number-columns-repeated="16380"/>'
    rows = (row(*map(cell, texts), tail) for texts in table)
    return ods(("Sheet1", "".join(rows) + row(tail, repeated=1_000_000)))


def _salesforce_report() -> bytes:
    """All quoted, in the encoding that a report's export offers first, with the lines that it adds at the end."""
    footer = b'\n\n"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved."\n"Confidential Information"\n'
    return _csv(_SALESFORCE, "cp1252", "\n", quoting=csv.QUOTE_ALL) + footer


def _localised(names: Sequence[str], encoding: str, delimiter: str) -> Callable[[], bytes]:
    """What Excel saves as "CSV" where the system has another code page."""
    return lambda: _csv(_table("Email,Name,Surname,City", _contacts, names), encoding, delimiter=delimiter)


#: The files. Where two encodings read the file alike, either will do.
EXPORTS: Final = {
    "hubspot-contacts.csv": Export("csv", ("utf-8",), lambda: _csv(_HUBSPOT, end="\n", quoting=csv.QUOTE_ALL)),
    "hubspot-contacts.xlsx": Export("xlsx", ("utf-8",), lambda: with_table_of_texts(spreadsheets.xlsx(_HUBSPOT))),
    "mailchimp-members.csv": Export("csv", ("utf-8",), lambda: _csv(_MAILCHIMP, end="\n")),
    "mailchimp-audience.zip": Export(
        "zip csv", ("utf-8",), lambda: _zip_of("subscribed_email_audience_export_a1b2.csv", _csv(_MAILCHIMP, end="\n"))
    ),
    "salesforce-report.csv": Export("csv", ("cp1252",), _salesforce_report),
    "salesforce-data-export.csv": Export("csv", ("utf-8",), lambda: _csv(_SALESFORCE, end="\n", quoting=csv.QUOTE_ALL)),
    "google-contacts.csv": Export("csv", ("utf-8",), lambda: _csv(_GOOGLE, end="\n")),
    "google-contacts-old.csv": Export("csv", ("utf-16-le",), lambda: b"\xff\xfe" + _csv(_GOOGLE, "utf-16-le")),
    "outlook-desktop.csv": Export("csv", ("cp1252",), lambda: _csv(_OUTLOOK, "cp1252", quoting=csv.QUOTE_ALL)),
    "outlook-web.csv": Export("csv", ("utf-8",), lambda: _csv(_OUTLOOK, "utf-8-sig")),
    "shopify-customers.csv": Export("csv", ("utf-8",), lambda: _csv(_SHOPIFY, end="\n")),
    "woocommerce-customers.csv": Export("csv", ("utf-8",), lambda: _csv(_WOOCOMMERCE, "utf-8-sig", "\n")),
    "excel-german.csv": Export("csv", ("cp1252",), lambda: _csv(_EXCEL, "cp1252", delimiter=";")),
    "excel-utf-8.csv": Export("csv", ("utf-8",), lambda: _csv(_EXCEL, "utf-8-sig", delimiter=";")),
    "excel-unicode-text.txt": Export(
        "csv", ("utf-16-le",), lambda: b"\xff\xfe" + _csv(_EXCEL, "utf-16-le", delimiter="\t")
    ),
    "excel-macintosh.csv": Export("csv", ("mac-roman",), lambda: _csv(_EXCEL, "mac-roman", "\r", delimiter=";")),
    "excel-polish.csv": Export("csv", ("cp1250",), _localised(_POLAND, "cp1250", ";")),
    "excel-russian.csv": Export("csv", ("cp1251",), _localised(_RUSSIA, "cp1251", ";")),
    "excel-japanese.csv": Export("csv", ("cp932",), _localised(_JAPAN, "cp932", ",")),
    "excel.xlsx": Export("xlsx", ("utf-8",), lambda: with_table_of_texts(spreadsheets.xlsx(_EXCEL))),
    "numbers.csv": Export("csv", ("utf-8",), lambda: _csv(_NUMBERS)),
    "numbers.xlsx": Export("xlsx", ("utf-8",), lambda: spreadsheets.xlsx(_NUMBERS)),
    "libreoffice.ods": Export("ods", ("utf-8",), lambda: _ods(_NUMBERS)),
}


def main() -> None:
    """Write every file."""
    for name, export in EXPORTS.items():
        (FOLDER / name).write_bytes(export.make())


if __name__ == "__main__":
    main()
