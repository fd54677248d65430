// Dangerous things ask once more who is there: a request that was refused for that is sent again after the proof.
import { Refused, send } from "/static/send.js";
import { possible, usePasskey } from "/static/passkeys.js";

const dialog = document.getElementById("step-up");
const form = dialog?.querySelector("[data-step-up]");

async function prepare() {
  const own = await send("GET", "/pai/v1/factors");
  const { proof } = form.elements;
  const code = Boolean(own.totp || own.backup_codes_left);
  form.querySelector("[data-step-up-what]").textContent = code ? "Code from your authenticator app, or a backup code" : "Your password";
  proof.type = code ? "text" : "password";
  proof.inputMode = "text";
  proof.autocomplete = code ? "one-time-code" : "current-password";
  form.querySelector("[data-step-up-passkey]").hidden = !possible || !own.passkeys.some((one) => !one.suspended_at);
  form.querySelector("[data-error]").hidden = true;
  form.reset();
}

/** Ask for the proof; resolves to whether it was given. */
async function proved() {
  await prepare();
  const error = form.querySelector("[data-error]");
  return new Promise((resolve) => {
    let given = false;
    const provedBy = async (prove, button) => {
      button.disabled = true;
      try {
        await prove();
        given = true;
        dialog.close();
      } catch (problem) {
        if (!(problem instanceof Refused)) throw problem;
        error.textContent = problem.text;
        error.hidden = false;
        form.elements.proof.select();
      } finally {
        button.disabled = false;
      }
    };
    const submit = (event) => {
      event.preventDefault();
      provedBy(() => send("POST", "/pai/v1/step-up", { proof: form.elements.proof.value }), form.querySelector("button.primary"));
    };
    const passkey = form.querySelector("[data-step-up-passkey]");
    const touch = () => provedBy(async () => {
      const { credential } = await usePasskey(await send("POST", "/pai/v1/step-up/passkey/options"));
      await send("POST", "/pai/v1/step-up/passkey", { credential });
    }, passkey);
    form.addEventListener("submit", submit);
    passkey.addEventListener("click", touch);
    dialog.addEventListener("close", () => {
      form.removeEventListener("submit", submit);
      passkey.removeEventListener("click", touch);
      form.reset();
      resolve(given);
    }, { once: true });
    dialog.showModal();
  });
}

/** As `send`, asking once more who is there when the server wants that. Refused with the code `not_proved` when it is cancelled. */
export async function sendProved(method, url, body) {
  try {
    return await send(method, url, body);
  } catch (problem) {
    if (!(problem instanceof Refused) || problem.code !== "step_up" || !dialog) throw problem;
    if (!(await proved())) throw new Refused(0, { error: { code: "not_proved", message: "Nothing was changed" } });
    return await send(method, url, body);
  }
}
