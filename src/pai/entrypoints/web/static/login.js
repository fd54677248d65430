// Logging in with a passkey, as the only step or as the second one.
import { Refused, send } from "/static/send.js";
import { possible, usePasskey } from "/static/passkeys.js";

const place = document.querySelector("[data-passkey-login]");
const error = document.querySelector("[data-passkey-error]");

if (place && possible) {
  place.hidden = false;
  const button = place.querySelector("button");
  button.addEventListener("click", async () => {
    button.disabled = true;
    error.hidden = true;
    try {
      const given = await usePasskey(await send("POST", "/login", {}));
      const { then } = await send("POST", "/login", { ...given, back: document.querySelector("input[name=back]").value });
      location.assign(then);
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      error.textContent = problem.text;
      error.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}
