// The documents of a collection, shown anew without loading the page again: rows come from the page's own <template>.
import { send } from "/static/send.js";
import { breakable, localTime, make } from "/static/nodes.js";

const page = document.querySelector("[data-collection]");

function sizeText(size) {
  if (size < 1000) return `${size} B`;
  return size < 1e6 ? `${(size / 1000).toFixed(0)} KB` : `${(size / 1e6).toFixed(1)} MB`;
}

function row(told) {
  const made = page.querySelector("[data-row]").content.cloneNode(true);
  const put = (name, value) => { made.querySelector(`[data-${name}]`).textContent = value; };
  made.querySelector("[data-name]").replaceChildren(...breakable(told.name || "Unnamed"));
  put("pages", told.pages);
  put("chunks", told.chunks);
  put("size", sizeText(told.size));
  const time = make("time", "", localTime(new Date(told.created_at)));
  time.dateTime = told.created_at;
  made.querySelector("[data-added]").replaceChildren(time);
  made.querySelector("[data-link]").href = `/documents/${encodeURIComponent(told.id)}`;
  const form = made.querySelector("form");
  if (form) {
    form.dataset.send = `/pai/v1/documents/${encodeURIComponent(told.id)}`;
    form.dataset.confirm = `Delete \u201c${told.name}\u201d? Its text, passages and original are destroyed.`;
    form.querySelector("button").setAttribute("aria-label", `Delete ${told.name}`);
  }
  return made;
}

/** Ask for the collection's documents and show them. */
export async function showDocuments() {
  const found = (await send("GET", `/pai/v1/collections/${encodeURIComponent(page.dataset.collection)}/documents`)).documents;
  found.sort((one, other) => one.name.localeCompare(other.name));
  page.querySelector("[data-rows]").replaceChildren(...found.map(row));
  page.querySelector("[data-count]").textContent = `${found.length} document${found.length === 1 ? "" : "s"}`;
  page.querySelector("[data-documents]").hidden = found.length === 0;
  page.querySelector("[data-none]").hidden = found.length !== 0;
}
