"""The pages, as one router."""

from __future__ import annotations

from fastapi import APIRouter

from pai.entrypoints.http.services import Services
from pai.entrypoints.web import assets
from pai.entrypoints.web.pages import (
    account_setup,
    account_show,
    approval_list,
    collection_ask,
    collection_list,
    collection_show,
    conversation_show,
    document_show,
    people_list,
    picture_read,
    privacy_show,
    recording_hear,
    session_login,
    session_logout,
)  # fmt: skip
from pai.entrypoints.web.templating import templates

_PAGES = (
    session_login, session_logout, account_setup, account_show, approval_list, conversation_show, collection_list, collection_show,
    collection_ask, document_show, people_list, picture_read, privacy_show, recording_hear,
)  # fmt: skip


def routes(services: Services) -> APIRouter:
    """Return the router of the web application."""
    router = APIRouter(include_in_schema=False)
    templates()
    assets.add(router)
    for one in _PAGES:
        one.add(router, services)
    return router
