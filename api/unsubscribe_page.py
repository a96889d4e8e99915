"""The pages of unsubscribe links, in five languages: no script, no cookie, nothing from elsewhere.

Knows nothing of tokens and of what a button does.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from http import HTTPStatus
from typing import Final, NamedTuple

from starlette.responses import Response


class Words(NamedTuple):
    """The words of the pages in one language: a title and a text each, and the button."""

    ask: str
    ask_text: str
    button: str
    done: str
    done_text: str
    unknown: str
    unknown_text: str
    busy: str
    busy_text: str


_DEFAULT: Final = "en"
WORDS: Final = {
    "en": Words(
        "Unsubscribe", "Press the button to receive no more emails of this kind.", "Unsubscribe",
        "You are unsubscribed", "You will receive no more emails of this kind. You can close this page.",
        "This link is not valid",
        "The link is incomplete or was changed. Open it again from the email, or reply to the email and ask to be "
        "removed.",
        "Please try again in a moment", "Your request could not be stored yet. Open the link again in a minute.",
    ),
    "de": Words(
        "Abmelden", "Klicken Sie auf die Schaltfläche, um keine solchen E-Mails mehr zu erhalten.", "Abmelden",
        "Sie sind abgemeldet", "Sie erhalten keine solchen E-Mails mehr. Sie können diese Seite schließen.",
        "Dieser Link ist ungültig",
        "Der Link ist unvollständig oder wurde verändert. Öffnen Sie ihn erneut aus der E-Mail, oder antworten Sie auf "
        "die E-Mail und bitten Sie um Austragung.",
        "Bitte versuchen Sie es gleich noch einmal",
        "Ihr Wunsch konnte noch nicht gespeichert werden. Öffnen Sie den Link in einer Minute erneut.",
    ),
    "fr": Words(
        "Se désabonner", "Cliquez sur le bouton pour ne plus recevoir ce type d’e-mails.", "Se désabonner",  # noqa: RUF001
        "Vous êtes désabonné", "Vous ne recevrez plus ce type d’e-mails. Vous pouvez fermer cette page.",  # noqa: RUF001
        "Ce lien n’est pas valide",  # noqa: RUF001
        "Le lien est incomplet ou a été modifié. Ouvrez-le à nouveau depuis l’e-mail, ou répondez à l’e-mail pour "  # noqa: RUF001
        "demander votre désinscription.",
        "Veuillez réessayer dans un instant",
        "Votre demande n’a pas encore pu être enregistrée. Ouvrez à nouveau le lien dans une minute.",  # noqa: RUF001
    ),
    "es": Words(
        "Cancelar la suscripción", "Pulse el botón para no recibir más correos de este tipo.",
        "Cancelar la suscripción",
        "Su suscripción está cancelada", "No recibirá más correos de este tipo. Puede cerrar esta página.",
        "Este enlace no es válido",
        "El enlace está incompleto o fue modificado. Ábralo de nuevo desde el correo, o responda al correo y pida la "
        "baja.",
        "Vuelva a intentarlo en un momento",
        "Su solicitud aún no se pudo guardar. Abra de nuevo el enlace dentro de un minuto.",
    ),
    "pt": Words(
        "Cancelar a inscrição", "Clique no botão para não receber mais e-mails deste tipo.", "Cancelar a inscrição",
        "A sua inscrição foi cancelada", "Não receberá mais e-mails deste tipo. Pode fechar esta página.",
        "Este link não é válido",
        "O link está incompleto ou foi alterado. Abra-o novamente a partir do e-mail, ou responda ao e-mail e peça a "
        "remoção.",
        "Tente novamente daqui a pouco",
        "O seu pedido ainda não pôde ser guardado. Abra o link novamente dentro de um minuto.",
    ),
}  # fmt: skip

_STYLE: Final = (
    "body{margin:0;background:#f4f5f7;color:#1c1e21;font:18px/1.5 system-ui,sans-serif}"
    "main{max-width:32rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:.5rem}"
    "h1{margin:0;font-size:1.5rem}button{padding:.75rem 1.5rem;border:0;border-radius:.375rem;background:#1556b0;"
    "color:#fff;font:inherit;cursor:pointer}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: Nothing loads, nothing runs, and the form leads to this server alone.
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Vary": "Accept-Language",
    "X-Robots-Tag": "noindex",
}
#: The form posts to the page's own address what a mailbox posts (RFC 8058, 3.2).
_FORM: Final = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button type="submit">{button}</button></form>'
)


def language(accept: str) -> str:
    """The language of `WORDS` that an Accept-Language header prefers; English if it names none (RFC 9110, 12.5.4)."""
    wanted: list[tuple[float, str]] = []
    for part in accept.split(",")[:20]:
        tag, _, weight = part.partition(";")
        short = tag.strip().lower().partition("-")[0]
        if short in WORDS:
            wanted.append((_quality(weight), short))
    best = max(wanted, key=lambda one: one[0], default=(0.0, _DEFAULT))
    return best[1] if best[0] > 0 else _DEFAULT


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value) if len(value) <= len("0.000") else 0.0
    except ValueError:
        return 0.0


def ask(accept: str) -> Response:
    """The page with the button."""
    words = WORDS[language(accept)]
    return _page(accept, words.ask, words.ask_text, _FORM.format(button=escape(words.button)))


def done(accept: str) -> Response:
    """The page after the button."""
    words = WORDS[language(accept)]
    return _page(accept, words.done, words.done_text)


def unknown(accept: str) -> Response:
    """The page of a token that does not verify."""
    words = WORDS[language(accept)]
    return _page(accept, words.unknown, words.unknown_text, status=HTTPStatus.NOT_FOUND)


def busy(accept: str, status: HTTPStatus, retry_after_s: int) -> Response:
    """The page for a request that was not carried out and may be repeated."""
    words = WORDS[language(accept)]
    response = _page(accept, words.busy, words.busy_text, status=status)
    response.headers["Retry-After"] = str(retry_after_s)
    return response


def _page(accept: str, title: str, text: str, form: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    chosen = language(accept)
    html = (
        f'<!doctype html><html lang="{chosen}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{form}</main></body>"
        "</html>"
    )
    return Response(html, status, {**_HEADERS, "Content-Language": chosen}, media_type="text/html; charset=utf-8")
