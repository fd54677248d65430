// Pictures: each page drawn with a box around every line, and the lines beside it. The browser draws the file it holds; where it
// cannot (PDF, TIFF), the text is set where it stands.
import { make } from "/static/nodes.js";
import { $, wait } from "/static/senses.js";

const SVG = "http://www.w3.org/2000/svg";
const UNSURE = 0.85;
let picture = null;
let texts = [];

function shape(tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** Draw the picture as the page was made upright: `page.turned` degrees clockwise. */
function drawn(page) {
  const canvas = make("canvas", "scan-pixels");
  canvas.width = page.width;
  canvas.height = page.height;
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.translate(page.width / 2, page.height / 2);
  context.rotate((page.turned * Math.PI) / 180);
  const [width, height] = page.turned % 180 ? [page.height, page.width] : [page.width, page.height];
  context.drawImage(picture, -width / 2, -height / 2, width, height);
  return canvas;
}

/** The text of a line where it stands, for a page that the browser cannot draw. */
function standing(line) {
  const [[ax, ay], [bx, by], , [dx, dy]] = line.box;
  const angle = (Math.atan2(by - ay, bx - ax) * 180) / Math.PI;
  return shape("text", {
    "font-size": Math.hypot(dx - ax, dy - ay) * 0.78, textLength: Math.hypot(bx - ax, by - ay), lengthAdjust: "spacingAndGlyphs",
    transform: `translate(${ax + (dx - ax) * 0.8} ${ay + (dy - ay) * 0.8}) rotate(${angle})`,
  }, line.text);
}

function pointed(button, box) {
  const show = (on) => { box.classList.toggle("pointed", on); button.classList.toggle("pointed", on); };
  for (const target of [button, box]) {
    target.addEventListener("pointerenter", () => show(true));
    target.addEventListener("pointerleave", () => show(document.activeElement === button));
  }
  button.addEventListener("focus", () => show(true));
  button.addEventListener("blur", () => show(false));
  button.addEventListener("click", () => box.scrollIntoView({ block: "nearest" }));
  box.addEventListener("click", () => button.focus());
}

function sheet(page) {
  const boxes = shape("svg", { viewBox: `0 0 ${page.width} ${page.height}`, "aria-hidden": "true", class: "scan-boxes" });
  const lines = make("ol", "scan-lines");
  const stands = picture && page.of === 1;
  for (const line of page.lines) {
    const unsure = line.confidence < UNSURE;
    const box = shape("polygon", { points: line.box.map(([x, y]) => `${x},${y}`).join(" "), class: unsure ? "unsure" : "" });
    if (!stands) boxes.append(standing(line));
    boxes.append(box);
    const sure = make("span", unsure ? "sure unsure" : "sure", `${Math.round(line.confidence * 100)} %`);
    sure.title = "How sure the model is of this line; no probability of being right";
    const button = make("button", "scan-line", make("span", "", line.text), sure);
    pointed(button, box);
    lines.append(make("li", "", button));
  }
  const scan = make("div", "scan", ...(stands ? [drawn(page)] : []), boxes);
  const title = page.of > 1 ? [make("h3", "", `Page ${page.page} of ${page.of}`)] : [];
  const none = page.lines.length ? [] : [make("p", "muted", "No text was found on this page.")];
  return make("div", "scan-page", ...title, make("div", "scan-both", scan, make("div", "scan-side", ...none, lines)));
}

const finished = (told) => { $("facts").textContent = `${told.pages} page${told.pages === 1 ? "" : "s"} · read by ${told.model}`; };

wait("/pai/v1/ocr", {
  fields: { stream: "true" },
  begin(file) {
    texts = [];
    picture?.close();
    picture = null;
    $("name").textContent = file.name;
    $("facts").textContent = "";
    $("text").textContent = "";
    $("pages").replaceChildren();
    this.bitmap = createImageBitmap(file).then((made) => { picture = made; }, () => null);
  },
  async page(page) {
    await this.bitmap;
    texts.push(page.text);
    $("text").textContent = texts.join("\n\n");
    $("pages").append(sheet(page));
    $("progress").textContent = `Page ${page.page} of ${page.of} is read`;
  },
  done: finished,
});
