// What every page has: theme, forms that are sent by fetch, dialogs, copying, local times.
import { Refused } from "/static/send.js";
import { sendProved } from "/static/step_up.js";
import { localTime, make } from "/static/nodes.js";

const root = document.documentElement;

function toggleTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("pai-theme", root.dataset.theme);
  } catch {
    // Not stored: the choice holds for this page.
  }
}

export function notice(text) {
  const place = document.querySelector("[data-notice]");
  if (!place) return;
  place.textContent = text;
  place.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { place.hidden = true; }, 6000);
}

function agreed(question, verb) {
  return new Promise((resolve) => {
    const dialog = make("dialog", "dialog");
    const no = make("button", "secondary", "Cancel");
    const yes = make("button", "danger", verb);
    const title = make("h2", "", question);
    title.id = "agree-title";
    dialog.setAttribute("aria-labelledby", title.id);
    dialog.append(make("div", "stack", title, make("div", "row end", no, yes)));
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", () => dialog.close("yes"));
    dialog.addEventListener("close", () => { resolve(dialog.returnValue === "yes"); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function valuesOf(form) {
  const values = {};
  for (const [name, value] of new FormData(form)) values[name] = value;
  for (const box of form.querySelectorAll("input[type=checkbox]:not([data-flag])")) values[box.name] = new FormData(form).getAll(box.name);
  for (const box of form.querySelectorAll("input[type=checkbox][data-flag]")) values[box.name] = box.checked;
  return values;
}

function follow(form, told) {
  if (form.dataset.show) {
    const shown = document.getElementById(form.dataset.show);
    for (const place of shown.querySelectorAll("[data-value]")) place.textContent = told[place.dataset.value];
    form.closest("dialog")?.close();
    shown.showModal();
    return;
  }
  const then = (form.dataset.then ?? "").replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(told?.[name] ?? ""));
  if (then) location.assign(then);
  else location.reload();
}

async function submit(form) {
  const verb = form.dataset.verb ?? form.querySelector("button").textContent.trim();
  if (form.dataset.confirm && !(await agreed(form.dataset.confirm, verb))) return;
  const error = form.querySelector("[data-error]");
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  try {
    const method = form.dataset.method ?? "POST";
    const values = valuesOf(form);
    follow(form, await sendProved(method, form.dataset.send, Object.keys(values).length ? values : undefined));
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    if (problem.code === "not_proved") return;
    if (error) {
      error.textContent = problem.text;
      error.hidden = false;
    } else {
      notice(problem.text);
    }
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.send) return;
  event.preventDefault();
  submit(event.target);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("themeToggle" in button.dataset) toggleTheme();
  if (button.dataset.open) document.getElementById(button.dataset.open).showModal();
  if ("close" in button.dataset) button.closest("dialog").close();
  if ("print" in button.dataset) window.print();
  if (button.dataset.copy) {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
    notice("Copied");
    button.textContent = "Copied";
  }
});

for (const dialog of document.querySelectorAll("dialog[data-reload]")) dialog.addEventListener("close", () => location.reload());

for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) time.textContent = localTime(moment);
}

// On a narrow screen the tabs may need more than its width: the one that is open is always seen.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
