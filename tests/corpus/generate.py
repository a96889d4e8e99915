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
    """One file of the corpus.

    Attributes:
        format: what it must be recognised as.
        encodings: the same; where two encodings read the file alike, either will do.
        make: makes the file.
        names: its people, as `_people` reads them.
        template: gives of each row its person's first name, last name and city: `Ann Lee, Oslo`.
    """

    format: str
    encodings: tuple[str, ...]
    make: Callable[[], bytes]
    names: Sequence[str] = _WEST
    template: str = "{{ first_name }} {{ last_name }}, {{ city }}"

    @property
    def expected(self) -> list[tuple[str, str]]:
        """The address and the rendered template of each person."""
        return [(person.email, f"{person.first} {person.last}, {person.city}") for person in _people(self.names)]


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


def _table(header: str, cells: Callable[[Person], dict[str, object]], names: Sequence[str] = _WEST) -> list[list[str]]:
    """The header, and a row per person: some cells by column, the others empty."""
    columns = header.split(",")
    rows = [cells(person) for person in _people(names)]
    assert all(row.keys() <= set(columns) for row in rows)
    return [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]


def _csv(table: list[list[str]], encoding: str = "utf-8", end: str = "\r\n", **form: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, **form).writerows(table)
    return text.getvalue().encode(encoding)


#: The default columns of the contacts' index page, with the city and two that only contain the word email.
_HUBSPOT = _table(
    "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Last Activity Date,Lead Status,"
    "Marketing contact status,Create Date,Associated Company,City,Email Domain,Unsubscribed from all email",
    lambda p: {
        "Record ID": 51_000_000 + p.number, "First Name": p.first, "Last Name": p.last, "Email": p.email,
        "Lead Status": "New", "Create Date": "2026-11-27 09:30", "City": p.city, "Email Domain": "example.com",
    },
)  # fmt: skip
#: The columns of an audience's export.
_MAILCHIMP = _table(
    "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,"
    "CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS",
    lambda p: {
        "Email Address": p.email, "First Name": p.first, "Last Name": p.last, "Address": p.city, "MEMBER_RATING": 2,
        "OPTIN_TIME": "2026-01-05 10:11:12", "CONFIRM_IP": "192.0.2.7", "LATITUDE": "50.9375",
        "TIMEZONE": "Europe/Berlin", "CC": "de", "LAST_CHANGED": "2026-01-05 10:11:12",
        "LEID": 1000 + p.number, "EUID": "a1", "TAGS": '"shop"',
    },
)  # fmt: skip
#: A report of contacts with its standard columns.
_SALESFORCE = _table(
    "Contact ID,Salutation,First Name,Last Name,Title,Account Name,Mailing Street,Mailing City,Mailing Zip/Postal Code,"
    "Mailing Country,Phone,Mobile,Email,Email Opt Out,Account Owner",
    lambda p: {
        "Contact ID": f"0035g00000AbC{p.number:02}", "First Name": p.first, "Last Name": p.last,
        "Mailing City": p.city, "Email": p.email, "Email Opt Out": 0,
    },
)  # fmt: skip
#: "Google CSV", as exported since 2024, with a second address.
_GOOGLE = _table(
    "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,Name Prefix,"
    "Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,Photo,"
    "Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,"
    "Address 1 - Label,Address 1 - Formatted,Address 1 - Street,Address 1 - City,Address 1 - Country",
    lambda p: {
        "First Name": p.first, "Last Name": p.last, "Labels": "* myContacts", "E-mail 1 - Label": "* ",
        "E-mail 1 - Value": p.email, "E-mail 2 - Label": "Work", "E-mail 2 - Value": f"work{p.number}@example.net",
        "Address 1 - Formatted": f"Street {p.number}\n{p.city}", "Address 1 - City": p.city,
    },
)  # fmt: skip
#: As exported before.
_GOOGLE_OLD = _table(
    "Name,Given Name,Additional Name,Family Name,Yomi Name,Given Name Yomi,Additional Name Yomi,Family Name Yomi,"
    "Name Prefix,Name Suffix,Initials,Nickname,Short Name,Maiden Name,Birthday,Gender,Location,Billing Information,"
    "Directory Server,Mileage,Occupation,Hobby,Sensitivity,Priority,Subject,Notes,Language,Photo,Group Membership,"
    "E-mail 1 - Type,E-mail 1 - Value,E-mail 2 - Type,E-mail 2 - Value,Address 1 - Type,Address 1 - City",
    lambda p: {
        "Name": f"{p.first} {p.last}", "Given Name": p.first, "Family Name": p.last,
        "Group Membership": "* My Contacts", "E-mail 1 - Type": "* Home", "E-mail 1 - Value": p.email,
        "Address 1 - Type": "Home", "Address 1 - City": p.city,
    },
)  # fmt: skip
#: The columns of Outlook's "Comma Separated Values", those of a second business address and other phones left out.
_OUTLOOK = _table(
    "Title,First Name,Middle Name,Last Name,Suffix,Company,Department,Job Title,Business Street,Business City,"
    "Business Country/Region,Home Street,Home City,Home State,Home Postal Code,Home Country/Region,Business Phone,"
    "Home Phone,Mobile Phone,Account,Anniversary,Birthday,Categories,E-mail Address,E-mail Type,E-mail Display Name,"
    "E-mail 2 Address,E-mail 2 Type,E-mail 2 Display Name,E-mail 3 Address,Gender,Internet Free Busy,Language,Notes,"
    "Priority,Private,Sensitivity,Web Page",
    lambda p: {
        "First Name": p.first, "Last Name": p.last, "Home City": p.city, "Anniversary": "0/0/00", "Birthday": "0/0/00",
        "E-mail Address": p.email, "E-mail Type": "SMTP", "E-mail Display Name": f"{p.first} {p.last} ({p.email})",
        "Gender": "Unspecified", "Priority": "Normal", "Private": "False", "Sensitivity": "Normal",
    },
)  # fmt: skip
#: The columns of the customer CSV.
_SHOPIFY = _table(
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,"
    "Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,"
    "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,"
    "Tags",
    lambda p: {
        "Customer ID": f"'70{p.number}", "First Name": p.first, "Last Name": p.last, "Email": p.email,
        "Accepts Email Marketing": "yes", "Default Address City": p.city, "Phone": "'+4915112345",
        "Accepts SMS Marketing": "no", "Total Spent": "12.50", "Total Orders": 2, "Tags": "vip, shop",
    },
)  # fmt: skip
#: The columns of the customers report of WooCommerce Analytics.
_WOOCOMMERCE = _table(
    "Name,Username,Last active,Date registered,Email,Orders,Total spend,AOV,Country / Region,City,Region,Postal code",
    lambda p: {
        "Name": f"{p.first} {p.last}", "Username": f"u{p.number}", "Last active": "2026-11-01",
        "Date registered": "2026-01-05", "Email": p.email, "Orders": 2, "Total spend": 25, "AOV": 12.5, "City": p.city,
    },
)  # fmt: skip
_EXCEL = _table(
    "E-Mail-Adresse,Vorname,Nachname,Ort",
    lambda p: {"E-Mail-Adresse": p.email, "Vorname": p.first, "Nachname": p.last, "Ort": p.city},
)
_NUMBERS = _table(
    "email,first name,last name,city",
    lambda p: {"email": p.email, "first name": p.first, "last name": p.last, "city": p.city},
)
_GERMAN = "{{ vorname }} {{ nachname }}, {{ ort }}"


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


def _localised(names: Sequence[str], encoding: str, delimiter: str) -> Export:
    """What Excel saves as "CSV" where the system has another code page."""
    table = _table(
        "Email,Name,Surname,City",
        lambda p: {"Email": p.email, "Name": p.first, "Surname": p.last, "City": p.city},
        names,
    )
    return Export(
        "csv",
        (encoding,),
        lambda: _csv(table, encoding, delimiter=delimiter),
        names,
        "{{ name }} {{ surname }}, {{ city }}",
    )


def _export(kind: str, encoding: str, make: Callable[[], bytes], template: str = "") -> Export:
    made = Export(kind, (encoding,), make)
    return made._replace(template=template) if template else made


_CITY_IN_ADDRESS = "{{ first_name }} {{ last_name }}, {{ address }}"
_MAILING = "{{ first_name }} {{ last_name }}, {{ mailing_city }}"
_HOME = "{{ first_name }} {{ last_name }}, {{ home_city }}"
_QUOTED: Final[dict[str, Any]] = {"quoting": csv.QUOTE_ALL}
_UTF_16_MARK = b"\xff\xfe"

EXPORTS: Final = {
    "hubspot-contacts.csv": _export("csv", "utf-8", lambda: _csv(_HUBSPOT, end="\n", **_QUOTED)),
    "hubspot-contacts.xlsx": _export("xlsx", "utf-8", lambda: with_table_of_texts(spreadsheets.xlsx(_HUBSPOT))),
    "mailchimp-members.csv": _export("csv", "utf-8", lambda: _csv(_MAILCHIMP, end="\n"), _CITY_IN_ADDRESS),
    "mailchimp-audience.zip": _export(
        "zip csv",
        "utf-8",
        lambda: _zip_of("subscribed_email_audience_export_a1b2.csv", _csv(_MAILCHIMP, end="\n")),
        _CITY_IN_ADDRESS,
    ),
    "salesforce-report.csv": _export("csv", "cp1252", _salesforce_report, _MAILING),
    "salesforce-data-export.csv": _export("csv", "utf-8", lambda: _csv(_SALESFORCE, end="\n", **_QUOTED), _MAILING),
    "google-contacts.csv": _export(
        "csv",
        "utf-8",
        lambda: _csv(_GOOGLE, end="\n"),
        "{{ first_name }} {{ last_name }}, {{ address_1_city }}",
    ),
    "google-contacts-old.csv": _export(
        "csv",
        "utf-16-le",
        lambda: _UTF_16_MARK + _csv(_GOOGLE_OLD, "utf-16-le"),
        "{{ given_name }} {{ family_name }}, {{ address_1_city }}",
    ),
    "outlook-desktop.csv": _export("csv", "cp1252", lambda: _csv(_OUTLOOK, "cp1252", **_QUOTED), _HOME),
    "outlook-web.csv": _export("csv", "utf-8", lambda: _csv(_OUTLOOK, "utf-8-sig"), _HOME),
    "shopify-customers.csv": _export(
        "csv",
        "utf-8",
        lambda: _csv(_SHOPIFY, end="\n"),
        "{{ first_name }} {{ last_name }}, {{ default_address_city }}",
    ),
    "woocommerce-customers.csv": _export(
        "csv", "utf-8", lambda: _csv(_WOOCOMMERCE, "utf-8-sig", "\n"), "{{ name }}, {{ city }}"
    ),
    "excel-german.csv": _export("csv", "cp1252", lambda: _csv(_EXCEL, "cp1252", delimiter=";"), _GERMAN),
    "excel-utf-8.csv": _export("csv", "utf-8", lambda: _csv(_EXCEL, "utf-8-sig", delimiter=";"), _GERMAN),
    "excel-unicode-text.txt": _export(
        "csv", "utf-16-le", lambda: _UTF_16_MARK + _csv(_EXCEL, "utf-16-le", delimiter="\t"), _GERMAN
    ),
    "excel-macintosh.csv": _export("csv", "mac-roman", lambda: _csv(_EXCEL, "mac-roman", "\r", delimiter=";"), _GERMAN),
    "excel-polish.csv": _localised(_POLAND, "cp1250", ";"),
    "excel-russian.csv": _localised(_RUSSIA, "cp1251", ";"),
    "excel-japanese.csv": _localised(_JAPAN, "cp932", ","),
    "excel.xlsx": _export("xlsx", "utf-8", lambda: with_table_of_texts(spreadsheets.xlsx(_EXCEL)), _GERMAN),
    "numbers.csv": _export("csv", "utf-8", lambda: _csv(_NUMBERS)),
    "numbers.xlsx": _export("xlsx", "utf-8", lambda: spreadsheets.xlsx(_NUMBERS)),
    "libreoffice.ods": _export("ods", "utf-8", lambda: _ods(_NUMBERS)),
}


def main() -> None:
    """Write every file."""
    for name, export in EXPORTS.items():
        (FOLDER / name).write_bytes(export.make())


if __name__ == "__main__":
    main()
