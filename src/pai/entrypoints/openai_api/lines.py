"""Requests of a batch, answered as they would be if they came by themselves: the same checks, the same use cases, the same words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import ValidationError

from pai.core.conversations.responses import Responses
from pai.core.models.inference import Inference
from pai.entrypoints.http.dialects import Told
from pai.entrypoints.http.streams import first_of
from pai.entrypoints.http.surprises import log_surprise
from pai.entrypoints.openai_api import chat, completions, responses
from pai.entrypoints.openai_api.dialect import DIALECT
from pai.entrypoints.openai_api.response_schemas import CreateResponse
from pai.entrypoints.openai_api.routes import embedded
from pai.entrypoints.openai_api.schemas import ChatCompletion, Completion, EmbeddingRequest
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, PaiError


@dataclass(frozen=True, slots=True)
class Lines:
    """Implements ``core.files.ports.Answers``. It opens no content: what would need that is refused as to a key that cannot."""

    inference: Inference
    responses: Responses

    async def answer(self, actor: Actor, endpoint: str, body: str) -> tuple[int, str]:
        """Return status and JSON of the answer."""
        try:
            return 200, msgspec.json.encode(await self._answer(actor, endpoint, msgspec.json.decode(body))).decode()
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(str(step)[:60] for step in found["loc"]) or "body"
            return _refused(Invalid(f"{where}: {found['msg']}"), where)
        except msgspec.DecodeError:
            return _refused(Invalid("the body is not valid JSON", code="bad_json"))
        except PaiError as error:
            return _refused(error)
        except Exception as error:  # noqa: BLE001  one odd request must not end all batches; its kind and place are logged
            log_surprise(error)
            return _refused(PaiError("an unexpected error happened"))

    async def _answer(self, actor: Actor, endpoint: str, body: Any) -> dict[str, Any]:
        match endpoint:
            case "/v1/chat/completions":
                asked = ChatCompletion.model_validate(body)
                name, pieces = await chat.start(self.inference, actor, asked, [chat.chat_request(asked, actor)])
                return await chat.whole(name, await first_of(pieces), pieces, asked)
            case "/v1/completions":
                text = Completion.model_validate(body)
                requests = completions.completion_requests(text, actor)
                name, pieces = await chat.start(self.inference, actor, text, requests)
                return await completions.whole(name, await first_of(pieces), pieces, text)
            case "/v1/embeddings":
                return await embedded(self.inference, actor, EmbeddingRequest.model_validate(body))
            case "/v1/responses":
                wanted = CreateResponse.model_validate(body)
                return await responses.whole(self.responses.respond(actor, responses.asked_of(wanted)), wanted)
            case _:
                raise Invalid("this endpoint answers no batches", code="bad_endpoint")


def _refused(error: PaiError, param: str | None = None) -> tuple[int, str]:
    status = DIALECT.status(error)
    return status, msgspec.json.encode(DIALECT.shape(Told(error, status, param, ""))).decode()
