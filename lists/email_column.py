"""Finds the column of addresses by its header, in many languages. Knows nothing of files or rows.

Sources: the columns that exports of Google Contacts, Outlook, Mailchimp, Shopify and WooCommerce have. Some of the
names in other languages stand in Chromium's patterns for email fields (components/autofill, autofill_regex_constants);
the others are common labels of forms, collected by hand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from lists.invisible import without_invisible

#: Headers that mean the address and nothing else, by language. Accents, case and punctuation do not matter.
_PLAIN: Final = {
    "en": ("Email", "Email Address", "Electronic Mail", "Electronic Mail Address"),
    "de": ("E-Mail-Adresse", "Mailadresse", "E-Mail Anschrift"),
    "nl": ("E-mailadres", "Mailadres"),
    "sv, nb, da, et": ("E-post", "E-postadress", "E-postadresse", "Mejladress", "E-posti aadress"),
    "fi": ("Sähköposti", "Sähköpostiosoite"),
    "is": ("Netfang", "Tölvupóstfang"),
    "fr": ("Adresse e-mail", "Adresse mail", "Adresse électronique", "Adresse de messagerie", "Courriel", "Mél",
           "Adresse courriel", "Adresse de courriel", "Courrier électronique"),
    "es, ca": ("Correo", "Correo electrónico", "Dirección de correo", "Dirección de correo electrónico", "Correo-e",
               "Dirección de email", "Correu electrònic", "Adreça electrònica"),
    "pt": ("Correio eletrônico", "Correio electrónico", "Endereço de e-mail", "Endereço de correio eletrônico",
           "Endereço eletrônico"),
    "it": ("Indirizzo e-mail", "Indirizzo di posta elettronica", "Indirizzo posta elettronica", "Posta elettronica"),
    "ro": ("Adresă de e-mail", "Adresa de e-mail", "Adresă e-mail", "Poștă electronică"),
    "pl": ("Adres e-mail", "Adres poczty elektronicznej", "Poczta elektroniczna"),  # codespell:ignore
    "cs, sk": ("E-mailová adresa", "Adresa e-mail", "Emailová adresa"),
    "hu": ("E-mail cím", "Elektronikus levélcím"),
    "hr, sl, sr": ("E-pošta", "Adresa e-pošte", "E-poštni naslov", "Elektronska pošta", "Е-пошта"),  # noqa: RUF001
    "lt, lv": ("El. paštas", "El. pašto adresas", "E-pasts", "E-pasta adrese"),
    "ru": ("Электронная почта", "Адрес электронной почты", "Эл. почта", "Имейл", "Е-мейл", "Емейл"),  # noqa: RUF001
    "uk": ("Електронна пошта", "Адреса електронної пошти", "Ел. пошта"),
    "bg": ("Имейл адрес", "Електронна поща"),
    "el": ("Ηλεκτρονικό ταχυδρομείο", "Διεύθυνση email", "Διεύθυνση ηλεκτρονικού ταχυδρομείου"),
    "tr": ("E-posta", "E-posta adresi"),
    "he": ("אימייל", "דוא״ל", "דואר אלקטרוני", "כתובת אימייל", "כתובת דוא״ל"),
    "ar": ("البريد الإلكتروني", "بريد إلكتروني", "عنوان البريد الإلكتروني", "الإيميل"),
    "fa": ("ایمیل", "پست الکترونیک", "پست الکترونیکی"),
    "hi": ("ईमेल", "ई-मेल", "ईमेल पता"),
    "id, ms": ("Alamat email", "Surel", "E-mel", "Alamat e-mel"),
    "vi": ("Địa chỉ email", "Thư điện tử"),
    "th": ("อีเมล", "ที่อยู่อีเมล"),
    "ja": ("メール", "メールアドレス", "Eメール", "Eメールアドレス", "電子メール", "電子メール アドレス"),
    "zh": ("邮箱", "邮箱地址", "电子邮件", "电子邮箱", "电子邮件地址", "邮件地址", "電子郵件", "電子郵件地址",
           "電子信箱", "電郵", "電郵地址"),
    "ko": ("이메일", "이메일 주소", "전자 메일", "전자 메일 주소", "전자우편", "메일 주소"),
}  # fmt: skip
#: Headers of the first of several addresses, and those that are sometimes something else. A plain header goes first.
_FIRST: Final = (
    *["Primary Email", "Primary Email Address", "Email Primary", "Main Email", "Preferred Email", "Default Email"],
    *["Email ID", "Email Addr", "Mail", "Mail Address"],
)
#: `E-mail 1 - Value` (Google Contacts), `E-mail 2 Address` (Outlook), `Email 1`.
_NUMBERED: Final = re.compile(r"e?mail(?:address)?([0-9]{1,2})(?:value|address)?").fullmatch
#: `Work Email`, `billing_email`: an address of one kind, used if no other column is meant.
_KIND: Final = (
    "account|attendee|billing|business|buyer|client|company|contact|customer|home|invitee|lead|login|member|office|"
    "owner|parent|personal|private|recipient|shipping|student|subscriber|user|work|your"
)
_OF_A_KIND: Final = re.compile(f"(?:{_KIND})e?mail(?:address)?|email(?:address)?(?:{_KIND})").fullmatch

_DASHES: Final = frozenset({"Pc", "Pd"})
#: A header longer than this is text and no name, in characters.
_MAX_CHARS: Final = 200


def folded(name: str) -> str:
    """A header as it is compared: NFKC, without case, blanks, invisible characters, hyphens and underscores.

    Folding a folded name changes nothing. The Turkish capital dotted I counts as an ordinary one. Source: the Unicode
    Standard, section 3.13, `toNFKC_Casefold`.
    """
    while (again := _folded_once(name)) != name:
        name = again
    return name


def _folded_once(name: str) -> str:
    plain = unicodedata.normalize("NFKC", without_invisible(name)).casefold().replace("i\u0307", "i")
    visible = without_invisible(unicodedata.normalize("NFKC", plain))
    return "".join(char for char in visible if unicodedata.category(char) not in _DASHES)


def _letters(name: str) -> str:
    """The letters and digits of a header, without case and accents."""
    decomposed = unicodedata.normalize("NFKD", folded(name[:_MAX_CHARS]))
    return "".join(char for char in decomposed if char.isalnum())


_PLAIN_LETTERS: Final = frozenset(_letters(name) for names in _PLAIN.values() for name in names)
_FIRST_LETTERS: Final = frozenset(map(_letters, _FIRST))


def candidates(header: Sequence[str], wanted: str) -> list[int]:
    """The positions of the columns that can be the column of addresses: none, one, or several between which to choose.

    Args:
        header: the header's cells.
        wanted: the header that the user names. An exact match counts before a folded one. If it is empty, or if it is
            `email` and no column has that name, the column is recognised: a plain name (`E-mail Address`) before a
            first one (`Primary Email`, the lowest number of `E-mail 1 - Value`), and this before one of a kind
            (`Work Email`).
    """
    if wanted.strip():
        exact = [place for place, cell in enumerate(header) if _nfc(cell) == _nfc(wanted)]
        named = exact or [place for place, cell in enumerate(header) if folded(cell) == folded(wanted)]
        if named or folded(wanted) != "email":
            return named
    letters = [_letters(cell) for cell in header]
    plain = [place for place, name in enumerate(letters) if name in _PLAIN_LETTERS]
    first = [place for place, name in enumerate(letters) if name in _FIRST_LETTERS]
    of_a_kind = [place for place, name in enumerate(letters) if _OF_A_KIND(name)]
    return plain or [*first, *_lowest_numbered(letters)] or of_a_kind


def _lowest_numbered(letters: Sequence[str]) -> list[int]:
    numbers = [(int(match[1]), place) for place, name in enumerate(letters) if (match := _NUMBERED(name))]
    return [place for number, place in numbers if number == min(numbers)[0]]


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())
