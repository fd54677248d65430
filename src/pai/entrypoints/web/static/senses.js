// A file that is sent to be read or heard: chosen or dropped, sent, and what comes of it told event by event. Nothing is kept.
import { headers, leaveIfEnded, Refused } from "/static/send.js";
import { countSeconds } from "/static/waiting.js";

const page = document.querySelector("[data-senses]");
export const $ = (name) => page.querySelector(`[data-${name}]`);
let running = null;

/** Send a file with fields and yield [name, value] of each event. Aborting `signal` stops the work on the server. */
async function* events(url, file, fields, signal) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) body.append(name, value);
  body.append("file", file, file.name);
  const response = await fetch(url, {
    method: "POST", signal, credentials: "same-origin", redirect: "error", cache: "no-store", headers: headers(), body,
  });
  if (!response.ok) {
    const told = await response.json().catch(() => null);
    leaveIfEnded(response.status, told);
    throw new Refused(response.status, told);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let ended = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const name = /^event: (\w+)$/m.exec(part)?.[1];
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (!name || !data) continue;
      if (name === "error") throw new Refused(400, JSON.parse(data));
      ended = name === "done";
      yield [name, JSON.parse(data)];
    }
  }
  if (!ended) throw new Refused(0, { error: { message: "the answer breaks off", hint: "try again" } });
}

async function perceive(url, file, told) {
  running?.abort();
  const controller = new AbortController();
  running = controller;
  const form = new FormData($("drop"));
  const fields = { ...told.fields, ...Object.fromEntries([...form].filter(([, value]) => typeof value === "string")) };
  $("error").hidden = true;
  $("result").hidden = true;
  $("working").hidden = false;
  $("progress").textContent = `Sending ${file.name}`;
  const stop = countSeconds($("seconds"));
  try {
    told.begin(file);
    for await (const [name, value] of events(url, file, fields, controller.signal)) {
      $("result").hidden = false;
      if (name === "done") {
        $("label").textContent = value.label;
        $("label").className = `label ${value.label}`;
      }
      await told[name](value);
    }
  } catch (problem) {
    if (controller.signal.aborted) {
      told.stopped?.();
    } else {
      $("error").textContent = problem instanceof Refused ? problem.text : "PAI cannot be reached, or the file cannot be read from your disk.";
      $("error").hidden = false;
    }
  } finally {
    stop();
    if (running === controller) {
      running = null;
      $("working").hidden = true;
    }
  }
}

/** Wait for files, and send each to `url`. `told` has `fields`, `begin(file)`, and a function for each event. */
export function wait(url, told) {
  const drop = page.querySelector("[data-drop]");
  if (!drop) return;
  const send = (files) => { if (files.length) perceive(url, files[0], told); };
  const input = $("file");
  drop.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("change", () => { send([...input.files]); input.value = ""; });
  $("stop").addEventListener("click", () => running?.abort());
  for (const name of ["dragenter", "dragover"]) {
    page.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  page.addEventListener("dragleave", (event) => { if (!page.contains(event.relatedTarget)) drop.classList.remove("over"); });
  page.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send([...event.dataTransfer.files]);
  });
}
