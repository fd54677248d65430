"""LlamaIndex's OpenAI-like integration: chats, streams, completions, tools, structured answers, embeddings."""

import os

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

place = {"api_base": f"{os.environ['PAI_URL']}/v1", "api_key": os.environ["PAI_API_KEY"], "max_tokens": 100}
model = OpenAILike(model="default", is_chat_model=True, is_function_calling_model=True, **place)
asked = [ChatMessage(role="user", content="Call get_weather for Paris.")]
assert model.chat(asked).message.content
assert "".join(chunk.delta or "" for chunk in model.stream_chat(asked))


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"rain in {city}"


called = model.chat_with_tools([FunctionTool.from_defaults(get_weather)], chat_history=asked, tool_required=True)
assert model.get_tool_calls_from_response(called)[0].tool_name == "get_weather"
assert OpenAILike(model="default", is_chat_model=False, **place).complete("one two").text


class City(BaseModel):
    """A city."""

    name: str
    people: int


strict = OpenAILike(model="default", is_chat_model=True, should_use_structured_outputs=True, **place)
assert isinstance(strict.as_structured_llm(City).chat(asked).raw, City)
embedder = OpenAILikeEmbedding(
    model_name="default-embedding", api_base=place["api_base"], api_key=place["api_key"], dimensions=64
)
assert [len(vector) for vector in embedder.get_text_embedding_batch(["a b c", "d e f"])] == [64, 64]
print("chats, streams, tools, completions, structured answers, embeddings")
