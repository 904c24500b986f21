/** Form fields in the house style, each with its label. */

import { h } from "./dom.js";

/** One of several, as tiles: `choices` are `{ value, content, label }`. `onchange(value)`. */
export function radioTiles(name, legend, choices, chosen, onchange) {
  const tiles = choices.map(({ value, content, label }) =>
    h("label.choice", {}, h("input", { type: "radio", name, value, "aria-label": label, checked: value === chosen, onchange: () => onchange(value) }), content));
  return h("fieldset.field", {}, h("legend", {}, legend), h("div.choices", {}, tiles));
}

/** A slider that says its value. */
export function slider(label, { min, max, step, value, format = String }, onchange) {
  const said = h("output", {}, format(value));
  const range = h("input", { type: "range", min, max, step, value, "aria-label": label, oninput: () => {
    said.textContent = format(Number(range.value));
    fill(range);
    onchange(Number(range.value));
  } });
  fill(range);
  return h("div.field", {}, h("div.label", {}, h("span", {}, label), said), range);
}

function fill(range) {
  const share = (range.value - range.min) / (range.max - range.min || 1);
  range.style.setProperty("--filled", `${Math.round(share * 100)}%`);
}

/** A field with its label above. */
export function labelled(label, control, ...beside) {
  return h("label.field", {}, h("span.label", {}, label), beside.length ? h("span.with-button", {}, control, beside) : control);
}

/** A failure in words, with what helps whoever runs the gateway to find it. */
export function faultBox(fault) {
  const again = fault.retryAfter ? ` Try again in ${fault.retryAfter} s.` : "";
  return h("div.fault", { role: "alert" }, `${fault.message}${again}`, fault.requestId && fault.status >= 500 && h("small", {}, `Request ${fault.requestId}`));
}
