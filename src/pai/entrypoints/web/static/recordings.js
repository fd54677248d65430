// Recordings: what is said as it is heard, each sentence a button that plays from there; the one that is played is marked.
import { make } from "/static/nodes.js";
import { $, wait } from "/static/senses.js";

let said = [];
let address = "";
let name = "";
let now = -1;

const two = (number, digits = 2) => String(number).padStart(digits, "0");

/** Seconds as people read them: 1:02, or 1:01:02 from an hour on. */
function clock(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

function stamp(seconds, point) {
  const all = Math.round(seconds * 1000);
  return `${two(Math.floor(all / 3_600_000))}:${two(Math.floor(all / 60_000) % 60)}:${two(Math.floor(all / 1000) % 60)}${point}${two(all % 1000, 3)}`;
}

const line = (text) => text.split(/\s+/).filter(Boolean).join(" ");
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const forms = {
  txt: () => `${said.map((one) => one.text).join(" ")}\n`,
  srt: () => said.map((one, n) => `${n + 1}\n${stamp(one.start, ",")} --> ${stamp(one.end, ",")}\n${line(one.text)}\n\n`).join(""),
  vtt: () => `WEBVTT\n\n${said.map((one) => `${stamp(one.start, ".")} --> ${stamp(one.end, ".")}\n${escaped(line(one.text))}\n\n`).join("")}`,
};

function save(form) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([forms[form]()], { type: "text/plain" }));
  link.download = `${name.replace(/\.[^.]*$/, "") || "recording"}.${form}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function mark() {
  const at = $("player").currentTime;
  const found = said.findIndex((one) => one.start <= at && at < one.end);
  if (found === now) return;
  const buttons = $("said").querySelectorAll("button");
  buttons[now]?.removeAttribute("aria-current");
  buttons[found]?.setAttribute("aria-current", "true");
  if (found >= 0 && !$("player").paused) buttons[found].scrollIntoView({ block: "nearest" });
  now = found;
}

function heard(segment) {
  said.push(segment);
  const button = make("button", "sentence", make("span", "at", clock(segment.start)), make("span", "", segment.text));
  button.addEventListener("click", () => {
    $("player").currentTime = segment.start;
    $("player").play().catch(() => null);  // the browser may know less formats than PAI
  });
  $("said").append(make("li", "", button));
}

if ($("player")) {
  $("player").addEventListener("timeupdate", mark);
  for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", () => save(button.dataset.save));
}

wait("/pai/v1/transcriptions", {
  fields: {},
  begin(file) {
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(file);
    said = [];
    now = -1;
    name = file.name;
    $("name").textContent = name;
    $("facts").textContent = "";
    $("text").textContent = "";
    $("saves").hidden = true;
    $("said").replaceChildren();
    $("player").src = address;
  },
  heard(part) {
    for (const one of part.segments) heard(one);
    $("progress").textContent = `${clock(part.until)} of ${clock(part.total)} is heard`;
  },
  done(told) {
    const language = told.language ? ` · language ${told.language}` : "";
    $("facts").textContent = `${clock(told.duration ?? 0)}${language} · written down by ${told.model}`;
    $("text").textContent = forms.txt().trimEnd();
    $("saves").hidden = said.length === 0;
    if (!said.length) $("said").replaceChildren(make("li", "muted", "Nothing was said, as far as the model hears."));
  },
});
