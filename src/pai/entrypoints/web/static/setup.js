// Set-up: the one-time token stands after the # of the address, which browsers do not send; this module posts it with the password.
import { Refused, send } from "/static/send.js";

const form = document.querySelector("[data-setup]");
const error = document.querySelector("[data-setup-error]");
const token = location.hash.slice(1);
// The token leaves the address bar and the history at once.
history.replaceState(null, "", location.pathname);

function refuse(text) {
  error.textContent = text;
  error.hidden = false;
}

if (!token) {
  refuse("This address holds no token. Open the whole link that `pai init` printed, including the part after #.");
  for (const field of form.elements) field.disabled = true;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  error.hidden = true;
  const { password, again } = form.elements;
  if (password.value !== again.value) {
    refuse("The two passwords are not the same.");
    again.focus();
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const told = await send("POST", "/setup", { token, password: password.value });
    form.hidden = true;
    document.querySelector("[data-setup-done]").hidden = false;
    if (told?.recovery_code) {
      document.querySelector("[data-recovery-code]").textContent = told.recovery_code;
      document.querySelector("[data-recovery]").hidden = false;
    }
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    refuse(problem.text);
  } finally {
    button.disabled = false;
    form.reset();
  }
});
