"""Assembles the application: routes, middleware and exception handlers."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

import logs
import settings as environment
from api import attribution, components, dashboard, doctor, exception_handlers, lifecycle, manual, unsubscribe
from api.endpoints import ENDPOINTS
from api.http import access, connections, headers, request_log, slow_bodies, token_file
from api.live import changes
from settings import Settings


def from_environment() -> Starlette:
    """The application of a dedicated web process: reads the settings, sets up logging, and makes the application.

    Raises:
        SettingError: the environment holds an invalid setting.
    """
    settings = environment.current()
    logs.configure(settings.log_level, settings.log_format)
    logs.warn_of_settings(settings.warnings)
    request_log.replace_server_log()
    return create_app(dataclasses.replace(settings, api_token=token_file.token(settings)))


def create_app(settings: Settings, **overrides: Any) -> Starlette:
    """The web application. It opens no connection before its lifespan starts or the first request arrives.

    Args:
        settings: the settings.
        overrides: components that replace those made from the settings, by their names in `components.Components`.
    """
    parts = components.build(settings, **overrides)
    policy = access.Policy(settings.api_token, settings.allow_anonymous, settings.public_url, settings.allowed_hosts)
    app = Starlette(
        routes=[*(endpoint.route() for endpoint in ENDPOINTS), *dashboard.ROUTES, *manual.ROUTES],
        middleware=[
            Middleware(lifecycle.OneLine),
            Middleware(connections.Connections),
            Middleware(request_log.RequestLog),
            Middleware(headers.SecurityHeaders),
            Middleware(access.Access, policy, _is_page),
            Middleware(attribution.Attribution, attribution.client_name(settings.api_token)),
            Middleware(slow_bodies.SlowBodies),
            Middleware(changes.PublishChanges, parts.feeds),
        ],
        exception_handlers=exception_handlers.HANDLERS,
        lifespan=lifecycle.lifespan,
    )
    app.router.redirect_slashes = False  # a wrong path is a 404, never a redirect
    app.state.components = parts
    app.state.doctor = doctor.Busy()
    app.state.unsubscribe_limits = unsubscribe.Limits()
    return app


def _is_page(path: str) -> bool:
    """Whether a path belongs to the operator's page or to the manual, which load without a token."""
    return dashboard.serves(path) or manual.serves(path)
