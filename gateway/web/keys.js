/** Asking for an API key: kept for this tab only, sent in a header, never in an address. */

import { hasKey, onKeyWanted, useKey } from "./api.js";
import { byId, h } from "./dom.js";

/** `onKey()` is called when there is another key than before. */
export function startKeys(onKey) {
  const reason = h("p", { id: "key-reason" });
  const field = h("input.text", { type: "password", autocomplete: "off", spellcheck: "false", required: true,
    placeholder: "easel_…", "aria-label": "API key", "aria-describedby": "key-reason" });
  const dialog = byId("key-dialog");
  const form = h("form", { onsubmit: (event) => {
    event.preventDefault();
    if (!field.value.trim()) return;
    useKey(field.value.trim());
    field.value = "";
    dialog.close();
    showButton();
    onKey();
  } }, field, h("div.actions", {}, h("button.primary", { type: "submit" }, "Continue")));
  dialog.append(h("h2", { id: "key-title" }, "This Easel asks for a key"), reason, form);

  const ask = (refusal) => {
    reason.textContent = refusal
      ? `The key you used has expired or was revoked (${refusal}). Enter another one; what you typed is still here.`
      : "Whoever runs it makes one with easel keys create. It is kept until this tab is closed.";
    if (!dialog.open) dialog.showModal();
  };
  onKeyWanted(ask);
  byId("key-button").addEventListener("click", () => ask(""));
  showButton();
}

function showButton() {
  byId("key-button").hidden = !hasKey();
}
