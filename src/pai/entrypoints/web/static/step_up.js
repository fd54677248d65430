// Dangerous things ask once more who is there: a request that was refused for that is sent again after the proof.
import { Refused, send } from "/static/send.js";

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
  form.querySelector("[data-error]").hidden = true;
  form.reset();
}

/** Ask for the proof; resolves to whether it was given. */
async function proved() {
  await prepare();
  const error = form.querySelector("[data-error]");
  return new Promise((resolve) => {
    let given = false;
    const submit = async (event) => {
      event.preventDefault();
      const button = form.querySelector("button.primary");
      button.disabled = true;
      try {
        await send("POST", "/pai/v1/step-up", { proof: form.elements.proof.value });
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
    form.addEventListener("submit", submit);
    dialog.addEventListener("close", () => {
      form.removeEventListener("submit", submit);
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
