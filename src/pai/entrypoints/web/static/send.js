// Requests to this server. Every one carries the CSRF token of the page; an ended session leads to the log-in page.

const token = document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** What the server said no to: `message` is one sentence, `hint` says what to do. */
export class Refused extends Error {
  constructor(status, body) {
    const error = body?.error ?? {};
    super(error.message ?? "PAI did not answer as expected.");
    this.status = status;
    this.code = error.code ?? "";
    this.hint = error.hint ?? "";
  }

  get text() {
    return this.hint ? `${this.message}. ${this.hint}.` : this.message;
  }
}

export const headers = (more = {}) => (token ? { "X-CSRF-Token": token, ...more } : more);

/** Only an ended (or missing) session leads to the log-in page: a mistyped recovery code and a used-up link are 401 too, and are told here. */
export function leaveIfEnded(status, body) {
  const ended = status === 401 && ["session_ended", "unauthenticated"].includes(body?.error?.code);
  if (ended && location.pathname !== "/login") location.assign("/login");
}

/** Send JSON (or nothing) and return the JSON that comes back, null when the body is empty. */
export async function send(method, url, body, signal) {
  let response;
  try {
    response = await fetch(url, {
      method, signal, credentials: "same-origin", redirect: "error", cache: "no-store",
      headers: headers(body === undefined ? {} : { "Content-Type": "application/json" }),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (problem) {
    if (signal?.aborted) throw problem;
    throw new Refused(0, { error: { message: "PAI cannot be reached", hint: "Is `pai serve` still running on this machine?" } });
  }
  const text = await response.text();
  let told = null;
  try {
    told = text ? JSON.parse(text) : null;
  } catch {
    told = null;
  }
  if (!response.ok) {
    leaveIfEnded(response.status, told);
    throw new Refused(response.status, told);
  }
  return told;
}

/** Send JSON and yield each line of the newline-delimited JSON answer as it comes. Aborting `signal` stops the work on the server. */
export async function* stream(url, body, signal) {
  const response = await fetch(url, {
    method: "POST", signal, credentials: "same-origin", redirect: "error", cache: "no-store",
    headers: headers({ "Content-Type": "application/json", Accept: "application/x-ndjson" }), body: JSON.stringify(body),
  });
  if (!response.ok) {
    const told = await response.json().catch(() => null);
    leaveIfEnded(response.status, told);
    throw new Refused(response.status, told);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) yield JSON.parse(line);
  }
}
