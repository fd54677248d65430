// Ask: a question, a cited answer, and the passage that each citation rests on.
import { Refused, send, stream } from "/static/send.js";
import { breakable, make, setBlocks } from "/static/nodes.js";
import { receiptLine } from "/static/receipt.js";
import { countSeconds } from "/static/waiting.js";

const page = document.querySelector("[data-ask]");
const form = page.querySelector("[data-question]");
const $ = (name) => page.querySelector(`[data-${name}]`);
const panel = document.querySelector("[data-passage]");
const panelText = panel.querySelector("[data-passage-text]");
let running = null;
let sources = [];
let opener = null;
// How many passages the answer may be drawn from. With none, the text is an abstention, shown as a state of its own at the end.
let passages = 0;

function busy(controller) {
  running = controller;
  $("go").hidden = controller !== null;
  $("stop").hidden = controller === null;
  $("working").hidden = controller === null;
}

function cite(n) {
  const button = make("button", "cite", String(n));
  button.setAttribute("aria-label", `Open source ${n}`);
  button.addEventListener("click", () => open(n, button));
  return button;
}

function listed(source) {
  const where = make("span", "source-where", ...breakable(source.document), " ", make("small", "", source.place));
  const button = make("button", "source", make("span", "source-n", String(source.n)), where, make("span", "source-quote", `“${source.quote}”`));
  button.dataset.n = source.n;
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => open(source.n, button));
  return make("li", "", button);
}

function mark(n) {
  for (const button of page.querySelectorAll(".source")) button.setAttribute("aria-expanded", String(Number(button.dataset.n) === n));
}

async function open(n, from) {
  const source = sources.find((one) => one.n === n);
  if (!source) return;
  opener = from;
  mark(n);
  const title = panel.querySelector("[data-passage-title]");
  title.replaceChildren(...breakable(source.document));
  title.href = `/documents/${encodeURIComponent(source.document_id)}#page-${source.page}`;
  panel.querySelector("[data-passage-where]").textContent = [source.place, `source ${n}`].filter(Boolean).join(" · ");
  panelText.replaceChildren(make("p", "near", "Opening the passage"));
  panel.hidden = false;
  panel.focus();
  try {
    const query = new URLSearchParams({ quote: source.quote });
    const told = await send("GET", `/documents/${encodeURIComponent(source.document_id)}/passages/${encodeURIComponent(source.chunk_id)}?${query}`);
    show(told);
  } catch (problem) {
    panelText.replaceChildren(make("p", "banner danger", problem.text ?? "The passage cannot be opened."));
  }
}

function show(told) {
  const parts = [];
  const turned = (from, to) => { if (from !== null && from !== to) parts.push(make("p", "page-break", `page ${to}`)); };
  if (told.heading) parts.push(make("p", "heading", told.heading));
  if (told.previous) {
    if (told.previous_page !== told.page) parts.push(make("p", "page-break", `page ${told.previous_page}`));
    parts.push(make("p", "near", told.previous));
    turned(told.previous_page, told.page);
  }
  const passage = make("p", "", told.before);
  const quoted = make("mark", "", told.quote);
  if (told.quote) passage.append(quoted);
  passage.append(told.after);
  parts.push(passage);
  if (told.next) {
    turned(told.page, told.next_page);
    parts.push(make("p", "near", told.next));
  }
  panelText.replaceChildren(...parts);
  if (told.quote) quoted.scrollIntoView({ block: "center" });
}

function close() {
  panel.hidden = true;
  mark(0);
  opener?.focus();
}

function reset(question) {
  sources = [];
  passages = 0;
  $("working-text").textContent = "Looking through your documents";
  panel.hidden = true;
  $("asked").textContent = question;
  $("prose").replaceChildren();
  for (const name of ["sources", "nearest", "receipt"]) $(name).replaceChildren();
  for (const name of ["absent", "sources-part", "nearest-part", "by"]) $(name).hidden = true;
  page.querySelector("[data-answer] .banner")?.remove();
  $("answer").hidden = false;
}

function take(event) {
  if (event.type === "considered") {
    passages = event.passages;
    $("working-text").textContent = passages ? `Found ${passages} passage${passages === 1 ? "" : "s"}; reading them` : "No passage fits well; making sure";
  } else if (event.type === "blocks") {
    if (passages) setBlocks($("prose"), event.from, event.blocks, cite);
  } else if (event.type === "error") {
    throw new Refused(event.status, { error: event });
  } else if (event.type === "done") {
    finish(event);
  }
}

function finish(event) {
  const nearest = event.nearest.map((source, at) => ({ ...source, n: event.sources.length + at + 1 }));
  sources = [...event.sources, ...nearest];
  setBlocks($("prose"), 0, event.blocks, cite);
  $("absent").hidden = !event.abstained;
  $("sources").replaceChildren(...event.sources.map(listed));
  $("sources-part").hidden = event.sources.length === 0;
  $("nearest").replaceChildren(...nearest.map(listed));
  $("nearest-part").hidden = nearest.length === 0;
  $("by").textContent = `Quoted word for word from your documents · found and chosen with ${event.model}, which wrote none of it · whether it answers the question, and wholly, is for you to check`;
  $("by").hidden = event.abstained;
  $("receipt").replaceChildren(receiptLine(event.receipt));
  $("live").textContent = event.abstained ? `${event.answer} Nearest passages: ${nearest.length}.` : `Answer: ${$("prose").textContent}. Sources: ${event.sources.length}.`;
}

async function ask(collection, question) {
  reset(question);
  busy(new AbortController());
  const stopCounting = countSeconds($("seconds"));
  $("live").textContent = "Looking through your documents.";
  try {
    for await (const event of stream("/ask/questions", { collection, question }, running.signal)) take(event);
  } catch (problem) {
    const why = running.signal.aborted ? "Stopped." : problem instanceof Refused ? problem.text : "The connection to PAI broke off.";
    const banner = make("p", "banner danger", why);
    banner.setAttribute("role", "alert");
    $("answer").append(banner);
  } finally {
    stopCounting();
    busy(null);
  }
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const question = form.elements.question.value.trim();
    if (question && !running) ask(form.elements.collection.value, question);
  });
  form.elements.question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  $("stop").addEventListener("click", () => running?.abort());
}
panel.querySelector("[data-passage-close]").addEventListener("click", close);
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !panel.hidden) close(); });
