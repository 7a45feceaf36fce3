// Asks the browser for a passkey. The form of the page says whether one is added or signs in; without this script it is hidden.
"use strict";
(() => {
  const root = document.getElementById("passkey");
  const form = root && root.querySelector("form");
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;
  const problem = document.getElementById("passkey-problem");
  const button = form.querySelector("button");
  const adds = button.id === "add-passkey";

  const decoded = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (character) => character.charCodeAt(0));
  };
  const encoded = (buffer) => {
    let plain = "";
    for (const byte of new Uint8Array(buffer)) plain += String.fromCharCode(byte);
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  // What the server refuses it says in words for the person.
  class Refused extends Error {}

  const post = async (path, said) => {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(said),
    });
    const answer = await response.json();
    if (!response.ok) throw new Refused(answer.message);
    return answer;
  };

  const add = async (options) => {
    options.user.id = decoded(options.user.id);
    for (const known of options.excludeCredentials || []) known.id = decoded(known.id);
    const made = await navigator.credentials.create({ publicKey: options });
    return { made, response: { attestationObject: encoded(made.response.attestationObject) } };
  };

  const use = async (options) => {
    for (const known of options.allowCredentials || []) known.id = decoded(known.id);
    const made = await navigator.credentials.get({ publicKey: options });
    const { authenticatorData, signature, userHandle } = made.response;
    const response = {
      authenticatorData: encoded(authenticatorData),
      signature: encoded(signature),
      userHandle: userHandle ? encoded(userHandle) : null,
    };
    return { made, response };
  };

  const text = (error) => {
    if (error instanceof Refused) return error.message;
    if (error.name === "NotAllowedError" || error.name === "AbortError") return root.dataset.refused;
    if (adds && error.name === "InvalidStateError") return root.dataset.known;
    return root.dataset.failed;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.hidden = true;
    try {
      const fields = Object.fromEntries(new FormData(form));
      const path = form.getAttribute("action");
      const { ceremony, publicKey: options } = await post(path, fields);
      options.challenge = decoded(options.challenge);
      const { made, response } = await (adds ? add(options) : use(options));
      response.clientDataJSON = encoded(made.response.clientDataJSON);
      const credential = { id: made.id, rawId: encoded(made.rawId), type: made.type, response };
      const answer = await post(path.replace(/begin$/, "finish"), { csrf: fields.csrf, ceremony, credential });
      window.location.assign(answer.next);
    } catch (error) {
      problem.textContent = text(error);
      problem.hidden = false;
      button.disabled = false;
    }
  });

  root.hidden = false;
})();
