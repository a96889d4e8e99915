"""Puts the application together: the routes, and what surrounds them."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

import logs
import settings as environment
from api import access, components, errors, headers, lifecycle, request_log
from api.routes import ROUTES
from settings import Settings


def create_app(settings: Settings | None = None, **overrides: Any) -> Starlette:
    """The web application. It connects to nothing until the first request, or the start of its lifespan.

    Args:
        settings: None: those of the environment.
        overrides: components to use instead of those by the settings, by the names of `components.Components`.

    Raises:
        SettingError: the environment holds a wrong setting.
    """
    settings = settings or environment.current()
    logs.configure(settings.log_level, settings.log_format)
    request_log.replace_server_log()
    policy = access.Policy(settings.api_token, settings.allow_anonymous, settings.public_url)
    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(request_log.RequestLog),
            Middleware(headers.SecurityHeaders),
            Middleware(access.Access, policy),
        ],
        exception_handlers=errors.HANDLERS,
        lifespan=lifecycle.lifespan,
    )
    app.router.redirect_slashes = False  # an address is right or it is not
    app.state.components = components.build(settings, **overrides)
    return app
