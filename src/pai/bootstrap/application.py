"""The HTTP application with all its ways in: one list, for the gateway, the tests and the generated reference."""

from __future__ import annotations

from pai.entrypoints.anthropic_api.dialect import DIALECT as ANTHROPIC_SPOKEN
from pai.entrypoints.anthropic_api.routes import ROUTERS as ANTHROPIC
from pai.entrypoints.http.app import create_app
from pai.entrypoints.http.services import Services
from pai.entrypoints.http.walls import Walls
from pai.entrypoints.ollama_api.dialect import DIALECT as OLLAMA_SPOKEN
from pai.entrypoints.ollama_api.routes import ROUTERS as OLLAMA
from pai.entrypoints.openai_api.dialect import DIALECT as OPENAI_SPOKEN
from pai.entrypoints.openai_api.routes import ROUTERS as OPENAI
from pai.entrypoints.pai_api.approvals import router as approvals_router
from pai.entrypoints.pai_api.audit import router as audit_router
from pai.entrypoints.pai_api.identity import router as identity_router
from pai.entrypoints.pai_api.metrics import router as metrics_router
from pai.entrypoints.pai_api.perception import router as perception_router
from pai.entrypoints.pai_api.routes import router as pai_router
from pai.entrypoints.pai_api.sharing import router as sharing_router
from pai.entrypoints.pai_api.sound import router as sound_router
from pai.entrypoints.pai_api.users import router as users_router
from pai.entrypoints.web.browser import error_page
from pai.entrypoints.web.routes import routes as web_routes


def application(services: Services) -> Walls:
    """Return the ASGI application. Raises RuntimeError for a route that names no permission."""
    # Anthropic's come before OpenAI's: of /v1 they take what is below /v1/messages, and models when its version header is there.
    routers = [
        *ANTHROPIC,
        *OPENAI,
        *OLLAMA,
        pai_router,
        audit_router,
        identity_router,
        users_router,
        approvals_router,
        metrics_router,
        perception_router,
        sharing_router,
        sound_router,
        web_routes(services),
    ]
    return create_app(services, routers, error_page, [ANTHROPIC_SPOKEN, OPENAI_SPOKEN, OLLAMA_SPOKEN])
