// Chat: the answer comes as newline-delimited JSON with sanitised blocks; Stop aborts the request, which stops the model.
import { Refused, stream } from "/static/send.js";
import { make, setBlocks } from "/static/nodes.js";
import { receiptLine } from "/static/receipt.js";
import { countSeconds } from "/static/waiting.js";

const page = document.querySelector("[data-chat]");
const turns = page.querySelector("[data-turns]");
const form = page.querySelector("[data-composer]");
const say = form.querySelector("textarea");
const go = form.querySelector("[data-go]");
const stop = form.querySelector("[data-stop]");
const live = page.querySelector("[data-live]");
const chip = page.querySelector("[data-model]");
let conversation = page.dataset.conversation;
let running = null;

const nearEnd = () => turns.scrollHeight - turns.scrollTop - turns.clientHeight < 120;
const toEnd = () => { turns.scrollTop = turns.scrollHeight; };

function busy(controller) {
  running = controller;
  go.hidden = controller !== null;
  stop.hidden = controller === null;
}

function turn(role, label, ...children) {
  const article = make("article", `turn ${role}`, ...children);
  article.setAttribute("aria-label", label);
  turns.append(article);
  return article;
}

function remember(id, title) {
  if (conversation === id) return;
  conversation = id;
  history.replaceState(null, "", `/chat/${encodeURIComponent(id)}`);
  page.querySelector("h1").textContent = title;
  document.title = `${title} · PAI`;
  const list = document.querySelector("[data-conversations]");
  list.querySelector(".none")?.remove();
  const link = make("a", "", title);
  link.href = `/chat/${encodeURIComponent(id)}`;
  link.setAttribute("aria-current", "page");
  list.prepend(make("li", "", link));
}

function working() {
  const dots = make("span", "dots", make("i"), make("i"), make("i"));
  dots.setAttribute("aria-hidden", "true");
  const seconds = make("span", "seconds");
  seconds.setAttribute("aria-hidden", "true");
  return make("p", "working", dots, make("span", "", "Waiting for the model"), seconds);
}

async function read(text, article, prose, wait) {
  let model = chip.textContent;
  let receipt = null;
  for await (const event of stream("/chat/messages", { conversation, text }, running.signal)) {
    const follow = nearEnd();
    if (event.type === "start") {
      wait.children[1].textContent = "The model reads the conversation";
      model = event.model;
      chip.textContent = model;
      remember(event.conversation, event.title);
    } else if (event.type === "waiting") {
      const others = event.before === 1 ? "1 other answer comes" : `${event.before} other answers come`;
      wait.children[1].textContent = event.before ? `Waiting: ${others} first` : "Waiting: yours is next";
    } else if (event.type === "blocks") {
      wait.remove();
      setBlocks(prose, event.from, event.blocks);
    } else if (event.type === "error") {
      throw new Refused(event.status, { error: event });
    } else if (event.type === "done") {
      receipt = event.receipt;
      if (event.finish === "length") article.append(make("p", "by", "The answer reached its length limit."));
    }
    if (follow) toEnd();
  }
  article.append(make("p", "by", `AI generated · ${model}`));
  if (receipt) article.append(receiptLine(receipt));
}

async function ask(text) {
  page.querySelector("[data-welcome]")?.remove();
  turn("user", "You", make("p", "said", text));
  const prose = make("div", "prose");
  const wait = working();
  const article = turn("assistant", "Answer", prose, wait);
  const stopCounting = countSeconds(wait.lastElementChild);
  busy(new AbortController());
  live.textContent = "The answer is being written.";
  toEnd();
  try {
    await read(text, article, prose, wait);
    live.textContent = `Answer: ${prose.textContent.slice(0, 1500)}`;
  } catch (problem) {
    if (running.signal.aborted) {
      article.append(make("p", "by", "Stopped."));
      live.textContent = "Stopped.";
    } else {
      const why = problem instanceof Refused ? problem.text : "The connection to PAI broke off.";
      const banner = make("p", "banner danger", why);
      banner.setAttribute("role", "alert");
      article.append(banner);
      live.textContent = "";
    }
  } finally {
    stopCounting();
    wait.remove();
    busy(null);
    toEnd();
    say.focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = say.value.trim();
  if (!text || running) return;
  say.value = "";
  ask(text);
});

say.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

stop.addEventListener("click", () => running?.abort());
document.addEventListener("keydown", (event) => { if (event.key === "Escape") running?.abort(); });

turns.addEventListener("click", (event) => {
  const idea = event.target.closest("[data-idea]");
  if (!idea) return;
  say.value = idea.dataset.idea;
  say.focus();
});

toEnd();
if (matchMedia("(width >= 60rem)").matches) say.focus();
