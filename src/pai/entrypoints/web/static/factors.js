// Setting up what one proves oneself with: the authenticator app and the backup codes.
import { Refused } from "/static/send.js";
import { sendProved } from "/static/step_up.js";
import { notice } from "/static/shell.js";
import { makePasskey, possible } from "/static/passkeys.js";

const SVG = "http://www.w3.org/2000/svg";
const totp = document.getElementById("totp");
const codes = document.getElementById("backup-codes");

function drawn(size, path) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${size} ${size}`);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", "QR code for the authenticator app");
  const dark = document.createElementNS(SVG, "path");
  dark.setAttribute("d", path);
  picture.append(dark);
  return picture;
}

function showCodes(made) {
  codes.querySelector("ol").replaceChildren(...made.map((code) => {
    const item = document.createElement("li");
    const text = document.createElement("code");
    text.textContent = code;
    item.append(text);
    return item;
  }));
  codes.showModal();
}

async function guarded(work, error) {
  try {
    await work();
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    if (problem.code === "not_proved") return;
    if (error) {
      error.textContent = problem.text;
      error.hidden = false;
    } else {
      notice(problem.text);
    }
  }
}

document.querySelector("[data-totp-begin]")?.addEventListener("click", () => guarded(async () => {
  const made = await sendProved("POST", "/pai/v1/factors/totp");
  totp.querySelector("[data-qr]").replaceChildren(drawn(made.qr_size, made.qr_path));
  totp.querySelector("[data-secret]").textContent = made.secret;
  totp.querySelector("[data-error]").hidden = true;
  totp.showModal();
}));

totp?.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(async () => {
    const told = await sendProved("POST", "/pai/v1/factors/totp/confirm", { code: event.target.elements.code.value });
    totp.close();
    if (told.backup_codes.length) showCodes(told.backup_codes);
    else location.reload();
  }, totp.querySelector("[data-error]"));
});

totp?.addEventListener("close", () => {
  // The secret is shown once; nothing of it stays in the page.
  totp.querySelector("[data-qr]").replaceChildren();
  totp.querySelector("[data-secret]").textContent = "";
  totp.querySelector("form").reset();
});

document.querySelector("[data-codes-renew]")?.addEventListener("click", () => guarded(async () => {
  showCodes((await sendProved("POST", "/pai/v1/factors/backup-codes")).backup_codes);
}));

const adding = document.querySelector("[data-passkey-add]");
if (adding && !possible) adding.disabled = true;

document.querySelector("[data-passkey-new]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, server_holds } = event.target.elements;
  guarded(async () => {
    const made = await makePasskey(await sendProved("POST", "/pai/v1/passkeys/options"));
    const told = await sendProved("POST", "/pai/v1/passkeys", { ...made, name: name.value, server_holds: Boolean(server_holds?.checked) });
    document.getElementById("new-passkey").close();
    if (told.backup_codes.length) showCodes(told.backup_codes);
    else location.reload();
  }, event.target.querySelector("[data-error]"));
});
