"""LangChain's OpenAI integration: chats, streams, bound tools, structured answers, logprobs, responses, embeddings."""

import os

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

place = {"base_url": f"{os.environ['PAI_URL']}/v1", "api_key": os.environ["PAI_API_KEY"]}
model = ChatOpenAI(model="default", max_tokens=100, **place)
answer = model.invoke("Say one word.")
assert answer.content
assert answer.usage_metadata["output_tokens"] > 0
assert "".join(chunk.content for chunk in model.stream("Say one word."))


@tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"rain in {city}"


asked = [HumanMessage("Call get_weather for Paris.")]
called = model.bind_tools([get_weather], tool_choice="any").invoke(asked)
assert called.tool_calls[0]["name"] == "get_weather"
result = ToolMessage("rain", tool_call_id=called.tool_calls[0]["id"])
assert model.invoke([*asked, called, result]).content


class City(BaseModel):
    """A city."""

    name: str
    people: int


assert isinstance(model.with_structured_output(City, method="json_schema").invoke("Paris"), City)
assert isinstance(model.with_structured_output(City, method="function_calling").invoke("Paris"), City)
told = model.bind(logprobs=True, top_logprobs=1).invoke("Say one word.")
assert told.response_metadata["logprobs"]["content"]
# The same class over /v1/responses: kept there, gone on with by id, streamed, with a tool and a structured answer.
kept = ChatOpenAI(model="default", max_tokens=100, use_responses_api=True, store=True, **place)
first = kept.invoke("Say one word.")
assert first.text
assert kept.invoke("And another.", previous_response_id=first.response_metadata["id"]).text
assert "".join(chunk.text for chunk in kept.stream("Say one word."))
called = kept.bind_tools([get_weather], tool_choice="any").invoke(asked)
result = ToolMessage("rain", tool_call_id=called.tool_calls[0]["id"])
assert kept.invoke([*asked, called, result]).text
assert isinstance(kept.with_structured_output(City, method="json_schema").invoke("Paris"), City)
# LangChain sends token ids of OpenAI's own tokeniser unless told not to.
embedder = OpenAIEmbeddings(model="default-embedding", check_embedding_ctx_length=False, **place)
assert len(embedder.embed_documents(["a", "b"])) == 2
shorter = OpenAIEmbeddings(model="default-embedding", check_embedding_ctx_length=False, dimensions=64, **place)
assert len(shorter.embed_query("when does the ferry leave")) == 64
print("chats, streams, tools, structured answers, logprobs, responses, embeddings")
