// Files into a collection: one request and one job per file, two at a time, each with its progress and, if refused, the reason.
import { headers, leaveIfEnded, Refused, send } from "/static/send.js";
import { breakable, make } from "/static/nodes.js";
import { showDocuments } from "/static/documents.js";

const page = document.querySelector("[data-collection]");
const drop = page.querySelector("[data-drop]");
const title = page.querySelector("[data-uploads-title]");
const collection = encodeURIComponent(page.dataset.collection);
const AT_ONCE = 2;
const counts = { accepted: 0, skipped: 0, refused: 0 };
const queue = [];
let active = 0;

function row(file) {
  const item = make("li", "upload", make("span", "upload-name", ...breakable(file.name)));
  const state = make("span", "upload-state", "waiting");
  const bar = make("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Progress of ${file.name}`);
  item.append(state, bar);
  page.querySelector("[data-upload-list]").append(item);
  return { item, state, bar };
}

function settle(view, outcome, text, why = "") {
  counts[outcome] += 1;
  view.item.classList.add(outcome);
  view.state.textContent = text;
  view.bar.remove();
  if (why) view.item.append(make("span", "upload-why", why));
}

function post(file, view) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/pai/v1/collections/${collection}/documents`);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) view.bar.value = (event.loaded / event.total) * 0.5;
    });
    request.addEventListener("load", () => {
      if (request.status < 300) return resolve(request.response);
      leaveIfEnded(request.status, request.response);
      return reject(new Refused(request.status, request.response));
    });
    request.addEventListener("error", () => reject(new Refused(0, { error: { message: "the connection to PAI broke off" } })));
    const body = new FormData();
    body.append("file", file, file.name);
    request.send(body);
  });
}

async function finished(job, view) {
  view.state.textContent = "reading and indexing";
  view.bar.removeAttribute("value");
  for (let pause = 150; ; pause = Math.min(pause * 1.5, 1500)) {
    await new Promise((resolve) => { setTimeout(resolve, pause); });
    const report = await send("GET", `/pai/v1/jobs/${encodeURIComponent(job)}`);
    if (report.state !== "queued" && report.state !== "running") return report;
  }
}

function tell(report, view) {
  const [accepted, skipped, refused] = [report.accepted[0], report.skipped[0], report.refused[0]];
  if (accepted) {
    settle(view, "accepted", `in · ${accepted.pages} page${accepted.pages === 1 ? "" : "s"}, ${accepted.chunks} passage${accepted.chunks === 1 ? "" : "s"}`);
  } else if (skipped) {
    settle(view, "skipped", "already there", skipped.reason);
  } else if (refused) {
    settle(view, "refused", "refused", refused.reason);
  } else {
    settle(view, "refused", report.state, report.error);
  }
}

async function one({ file, view }) {
  try {
    view.state.textContent = "encrypting";
    tell(await finished((await post(file, view)).id, view), view);
  } catch (problem) {
    settle(view, "refused", "refused", problem instanceof Refused ? problem.text : "the file cannot be read from your disk");
  }
}

async function pump() {
  while (active < AT_ONCE && queue.length) {
    active += 1;
    one(queue.shift()).finally(() => {
      active -= 1;
      if (!active && !queue.length) done();
      else {
        showDocuments();
        pump();
      }
    });
  }
}

async function done() {
  const said = [`${counts.accepted} added`];
  if (counts.skipped) said.push(`${counts.skipped} already there`);
  if (counts.refused) said.push(`${counts.refused} refused`);
  title.textContent = "Done";
  page.querySelector("[data-upload-summary]").textContent = `${said.join(", ")}.`;
  await showDocuments();
}

function add(files) {
  if (!files.length) return;
  page.querySelector("[data-uploads]").hidden = false;
  title.textContent = "Being added";
  for (const file of files) queue.push({ file, view: row(file) });
  pump();
}

if (drop) {
  const input = drop.querySelector("[data-files]");
  input.addEventListener("change", () => { add([...input.files]); input.value = ""; });
  for (const name of ["dragenter", "dragover"]) {
    page.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  page.addEventListener("dragleave", (event) => { if (!page.contains(event.relatedTarget)) drop.classList.remove("over"); });
  page.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    add([...event.dataTransfer.files]);
  });
}
