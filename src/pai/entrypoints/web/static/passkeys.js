// Passkeys in the browser: asking for one, and what its PRF extension gives, which opens the content.
import { Refused } from "/static/send.js";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** Whether this browser can do it at all, under a name (passkeys are bound to one). */
export const possible = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON) && !/^[\d.:[\]]+$/.test(location.hostname);

function prfOf(credential) {
  const given = credential.getClientExtensionResults().prf?.results?.first;
  return given ? text(given) : null;
}

function told(credential) {
  const { clientExtensionResults, ...rest } = credential.toJSON();
  // What the PRF gave goes apart from the signed answer, which is checked and may be logged by nobody.
  return { ...rest, clientExtensionResults: {} };
}

async function asked(work) {
  try {
    return await work();
  } catch (problem) {
    if (problem instanceof Refused) throw problem;
    throw new Refused(0, { error: { code: "no_passkey", message: "No passkey was given", hint: "Try again, or use another way" } });
  }
}

/** Let the browser make a passkey; return it as JSON with what its PRF gives, null when it has none. */
export async function makePasskey({ options, prf_input }) {
  const input = { eval: { first: bytes(prf_input) } };
  return asked(async () => {
    const wanted = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    const made = await navigator.credentials.create({ publicKey: { ...wanted, extensions: { ...wanted.extensions, prf: input } } });
    let prf = prfOf(made);
    if (!prf && made.getClientExtensionResults().prf?.enabled) {
      // Some tell what their PRF gives only when they are used.
      const again = await navigator.credentials.get({ publicKey: {
        challenge: crypto.getRandomValues(new Uint8Array(32)), userVerification: "required", rpId: wanted.rp.id,
        allowCredentials: [{ type: "public-key", id: made.rawId }], extensions: { prf: input },
      } });
      prf = prfOf(again);
    }
    return { credential: told(made), prf };
  });
}

/** Let the browser use a passkey; return its answer as JSON with what its PRF gives. */
export async function usePasskey({ options, prf_input }) {
  return asked(async () => {
    const wanted = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const extensions = prf_input ? { prf: { eval: { first: bytes(prf_input) } } } : {};
    const given = await navigator.credentials.get({ publicKey: { ...wanted, extensions } });
    return { credential: told(given), prf: prf_input ? prfOf(given) : null };
  });
}
