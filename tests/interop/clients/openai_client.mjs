// OpenAI's SDK for Node: models, chats, streams, tools, embeddings, errors.
import OpenAI from "openai";
import assert from "node:assert/strict";

const sdk = new OpenAI({ baseURL: `${process.env.PAI_URL}/v1`, apiKey: process.env.PAI_API_KEY });
const names = [];
for await (const model of sdk.models.list()) names.push(model.id);
assert(names.includes("default"));
const messages = [{ role: "user", content: "Say one word." }];
const whole = await sdk.chat.completions.create({ model: "default", messages, max_tokens: 20 });
assert(whole.choices[0].message.content);
assert(whole._request_id.startsWith("req_"));
let text = "";
for await (const chunk of await sdk.chat.completions.create({ model: "default", messages, max_tokens: 20, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
assert(text);
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
const called = await sdk.chat.completions.create({ model: "default", messages, tools, tool_choice: "required", max_tokens: 50 });
assert.equal(called.choices[0].message.tool_calls[0].function.name, "get_weather");
const helped = sdk.chat.completions.stream({ model: "default", messages, max_tokens: 20 });
assert((await helped.finalMessage()).content);
assert.equal((await sdk.embeddings.create({ model: "default-embedding", input: ["a", "b"] })).data.length, 2);
await assert.rejects(sdk.chat.completions.create({ model: "no-such-model", messages }), OpenAI.NotFoundError);
console.log("models, chats, streams, tools, embeddings, errors");
