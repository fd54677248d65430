"""Simon Willison's llm: a model of extra-openai-models.yaml, with a stream, a tool and a schema."""

import json
import os
import tempfile
from pathlib import Path

folder = tempfile.mkdtemp()
os.environ["LLM_USER_PATH"] = folder
Path(folder, "extra-openai-models.yaml").write_text(
    "- model_id: pai\n"
    "  model_name: default\n"
    f"  api_base: {os.environ['PAI_URL']}/v1\n"
    "  api_key_name: pai\n"
    "  supports_tools: true\n"
    "  supports_schema: true\n"
)
Path(folder, "keys.json").write_text(json.dumps({"pai": os.environ["PAI_API_KEY"]}))

import llm  # noqa: E402

model = llm.get_model("pai")
assert model.prompt("Say one word.", stream=False).text()
assert "".join(model.prompt("Say one word.", system="Be kind."))


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"rain in {city}"


called = model.prompt("Call get_weather for Paris.", tools=[get_weather])
assert called.text() or called.tool_calls()
assert "name" in model.prompt("Paris", schema=llm.schema_dsl("name, people int"), stream=False).text()
conversation = model.conversation()
assert conversation.prompt("Say one word.").text()
assert conversation.prompt("And another.").text()
chain = model.conversation(tools=[get_weather], chain_limit=3).chain("Call get_weather for Paris.")
assert chain.text() or list(chain.responses())
print("chats, streams, tools, schemas, conversations")
