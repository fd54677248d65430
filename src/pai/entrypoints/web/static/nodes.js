// Text of a model as elements. The server sends trees of [tag, class, children]; nothing is ever parsed as HTML in the browser,
// and a tag or class that is not listed here becomes plain text. There is no attribute for an address: nothing can be fetched.

const TAGS = new Set(["p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "hr", "br",
  "table", "thead", "tbody", "tr", "th", "td", "span"]);
const CLASSES = new Set(["right", "centre", "address", "picture"]);

/** Return an element with text or children; `type` is set on buttons. */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (tag === "button") element.type = "button";
  if (className) element.className = className;
  element.append(...children);
  return element;
}

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Return the pieces of a file name that may be broken where its parts meet, and not in the middle of a word. */
export const breakable = (name) => name.split(/(?<=[_-])(?=[\p{L}\p{N}_])/u).flatMap((part, n) => (n ? [document.createElement("wbr"), part] : [part]));

/** Return a moment as people write it where the browser is. */
export const localTime = (moment) => format.format(moment);

/** Return the DOM node of one tree. `cite(n)` makes the mark of citation n. */
export function build(tree, cite) {
  if (typeof tree === "string") return document.createTextNode(tree);
  const [tag, className, children] = tree;
  if (tag === "cite") return cite ? cite(Number(className)) : document.createTextNode(`[${Number(className)}]`);
  if (!TAGS.has(tag)) return document.createTextNode("");
  const element = document.createElement(tag);
  if (CLASSES.has(className)) element.className = className;
  for (const child of children) element.append(build(child, cite));
  return element;
}

/** Replace the blocks of `prose` from index `from` on. */
export function setBlocks(prose, from, blocks, cite) {
  while (prose.children.length > from) prose.lastElementChild.remove();
  prose.append(...blocks.map((block) => build(block, cite)));
}
