"""Puts the application together: the routes, and what surrounds them."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

import logs
import settings as environment
from api import components, dashboard, exception_handlers, lifecycle
from api.endpoints import ENDPOINTS
from api.http import access, connections, headers, request_log, slow_bodies, token_file
from api.live import changes
from settings import Settings


def from_environment() -> Starlette:
    """The application of a process that serves nothing else, its logging set up.

    Raises:
        SettingError: the environment holds a wrong setting.
    """
    settings = environment.current()
    logs.configure(settings.log_level, settings.log_format)
    request_log.replace_server_log()
    return create_app(dataclasses.replace(settings, api_token=token_file.token(settings)))


def create_app(settings: Settings, **overrides: Any) -> Starlette:
    """The web application. It connects to nothing until the first request, or the start of its lifespan.

    Args:
        settings: how it is set up.
        overrides: components to use instead of those by the settings, by the names of `components.Components`.
    """
    parts = components.build(settings, **overrides)
    policy = access.Policy(settings.api_token, settings.allow_anonymous, settings.public_url, settings.allowed_hosts)
    app = Starlette(
        routes=[*(endpoint.route() for endpoint in ENDPOINTS), *dashboard.ROUTES],
        middleware=[
            Middleware(lifecycle.OneLine),
            Middleware(connections.Connections),
            Middleware(request_log.RequestLog),
            Middleware(headers.SecurityHeaders),
            Middleware(access.Access, policy, dashboard.serves),
            Middleware(slow_bodies.SlowBodies),
            Middleware(changes.Changes, parts.feeds),
        ],
        exception_handlers=exception_handlers.HANDLERS,
        lifespan=lifecycle.lifespan,
    )
    app.router.redirect_slashes = False  # an address is right or it is not
    app.state.components = parts
    return app
