// OpenAI's SDK for Node: models, chats, tools, schemas, embeddings, responses, files, stores, batches, moderations, errors.
import OpenAI, { toFile } from "openai";
import assert from "node:assert/strict";

const sdk = new OpenAI({ baseURL: `${process.env.PAI_URL}/v1`, apiKey: process.env.PAI_API_KEY });
const messages = [{ role: "user", content: "Say one word." }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const all = async (pages) => { const found = []; for await (const one of pages) found.push(one); return found; };

async function chats() {
  assert((await all(sdk.models.list())).some((model) => model.id === "default"));
  const asked = { model: "default", messages, max_tokens: 20 };
  const whole = await sdk.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 1 });
  assert(whole.choices[0].message.content);
  assert(whole.choices[0].logprobs.content.every((one) => one.logprob <= 0));
  assert(whole._request_id.startsWith("req_"));
  const chunks = await all(await sdk.chat.completions.create({ ...asked, stream: true }));
  assert(chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join(""));
  assert((await sdk.chat.completions.stream(asked).finalMessage()).content);
}

async function toolsAndSchemas() {
  const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
  const called = await sdk.chat.completions.create({ model: "default", messages, tools, tool_choice: "required", max_tokens: 50 });
  assert.equal(called.choices[0].message.tool_calls[0].function.name, "get_weather");
  const response_format = { type: "json_schema", json_schema: { name: "city", schema: parameters, strict: true } };
  const told = await sdk.chat.completions.create({ model: "default", messages, response_format, max_tokens: 100 });
  assert.deepEqual(Object.keys(JSON.parse(told.choices[0].message.content)), ["city"]);
}

async function embeddings() {
  const input = ["when does the ferry leave", "b"];
  const whole = await sdk.embeddings.create({ model: "default-embedding", input });
  assert.equal(whole.data.length, 2);
  const short = await sdk.embeddings.create({ model: "default-embedding", input, dimensions: 64, encoding_format: "float" });
  assert.equal(short.data[0].embedding.length, 64);
}

async function responses() {
  const first = await sdk.responses.create({ model: "default", input: "Say one word.", store: true });
  assert(first.output_text);
  const stream = sdk.responses.stream({ model: "default", input: "And another.", previous_response_id: first.id });
  assert((await all(stream)).some((event) => event.type === "response.output_text.delta"));
  assert.equal((await stream.finalResponse()).status, "completed");
  assert.equal((await all(sdk.responses.inputItems.list(first.id))).length, 1);
  await sdk.responses.delete(first.id);
  await assert.rejects(sdk.responses.retrieve(first.id), OpenAI.NotFoundError);
}

async function filesAndStores() {
  const letter = Buffer.from("The ferry to Harbour Island leaves at 14:40 from pier nine.\n");
  const file = await sdk.files.create({ file: await toFile(letter, "letter.txt"), purpose: "assistants" });
  assert.deepEqual(Buffer.from(await (await sdk.files.content(file.id)).arrayBuffer()), letter);
  const store = await sdk.vectorStores.create({ name: `boats ${Date.now()}` });
  const attached = await sdk.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, { pollIntervalMs: 100 });
  assert.equal(attached.status, "completed");
  const tools = [{ type: "file_search", vector_store_ids: [store.id] }];
  const told = await sdk.responses.create({ model: "default", input: "When does the ferry to Harbour Island leave?", tools });
  assert.deepEqual(told.output.map((item) => item.type), ["file_search_call", "message"]);
  assert.equal(told.output[1].content[0].annotations[0].filename, "letter.txt");
  await sdk.vectorStores.delete(store.id);
  await sdk.files.delete(file.id);
}

async function batches() {
  const url = "/v1/embeddings";
  const line = JSON.stringify({ custom_id: "a", method: "POST", url, body: { model: "default-embedding", input: "x" } });
  const file = await sdk.files.create({ file: await toFile(Buffer.from(line), "requests.jsonl"), purpose: "batch" });
  let batch = await sdk.batches.create({ input_file_id: file.id, endpoint: url, completion_window: "24h" });
  for (let n = 0; n < 300 && ["validating", "in_progress", "finalizing"].includes(batch.status); n++) {
    await sleep(200);
    batch = await sdk.batches.retrieve(batch.id);
  }
  assert.equal(batch.status, "completed");
  const told = JSON.parse(await (await sdk.files.content(batch.output_file_id)).text());
  assert.equal(told.custom_id, "a");
}

async function moderations() {
  assert.equal((await sdk.moderations.create({ input: ["a letter", "another"] })).results.length, 2);
}

async function errors() {
  await assert.rejects(sdk.chat.completions.create({ model: "no-such-model", messages }), OpenAI.NotFoundError);
  await assert.rejects(sdk.chat.completions.create({ model: "default", messages, temperature: 9 }), OpenAI.BadRequestError);
  await assert.rejects(new OpenAI({ baseURL: sdk.baseURL, apiKey: "no-such-key" }).files.list(), OpenAI.AuthenticationError);
}

for (const part of [chats, toolsAndSchemas, embeddings, responses, filesAndStores, batches, moderations, errors]) await part();
console.log("chats, tools, schemas, logprobs, embeddings, responses, files, stores, batches, moderations, errors");
