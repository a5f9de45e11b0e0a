// Asks the device for a passkey when a form of the page is sent, and puts its answer into the form. Without script, or
// in a browser without passkeys, the forms stay hidden: there is always another way.

const able = window.PublicKeyCredential?.parseRequestOptionsFromJSON && navigator.credentials;

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!able) break;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    ask(form).catch((error) => tell(form, error));
  });
}

async function ask(form) {
  tell(form, null);
  const purpose = form.dataset.passkey;
  const answer = await fetch(`/passkeys/${purpose}`, {
    method: "POST",
    headers: { "X-CSRF-Token": form.elements.csrf.value, Accept: "application/json" },
  });
  const asked = await answer.json();
  if (!answer.ok) throw new Error(asked.detail);
  const options = asked.options.publicKey;
  const credential =
    purpose === "new"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  form.elements.state.value = asked.state;
  form.elements.credential.value = JSON.stringify(credential.toJSON());
  form.submit();
}

function tell(form, error) {
  const place = form.querySelector("[data-passkey-error]");
  if (!error) place.textContent = "";
  else if (error.name === "InvalidStateError") place.textContent = "This device has a passkey for this site already.";
  else if (error.name === "NotAllowedError") place.textContent = "No passkey was used. Try again, or go on another way.";
  else place.textContent = error.message;
}
