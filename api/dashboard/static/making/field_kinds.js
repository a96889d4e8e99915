// The kinds of fields in the forms: each makes a label, an input and a hint, and reads its value back.

import { freshId, h } from "../dom.js";

/**
 * @typedef {object} Field
 * @property {string} name the API's name of the field
 * @property {HTMLElement} node
 * @property {HTMLElement} input what gets the focus if the field is invalid
 * @property {() => unknown} value the value for the API; undefined: leave the field out
 */

/** A text, on one line or with `rows` on several; `options` are offered while it is typed. @returns {Field} */
export function textField({ name, label, hint, rows, options, value = "", ...properties }) {
  const { id, hintId, described } = ids(name, hint);
  const offered =
    options &&
    h(
      "datalist",
      { id: `${id}-options` },
      options.map((text) => h("option", { value: text })),
    );
  if (offered) properties.list = offered.id;
  const input = rows
    ? h("textarea", { id, name, rows, ...described, ...properties })
    : h("input", { id, name, type: "text", ...described, ...properties });
  input.value = value ?? "";
  const read = () => (input.value.trim() ? input.value : undefined);
  const node = labelled(id, label, input, hint, hintId);
  if (offered) node.append(offered);
  return { name, input, node, value: read };
}

/** A number. @returns {Field} */
export function numberField({ value, ...rest }) {
  const made = textField({ type: "number", inputmode: "decimal", step: "any", ...rest, value: value ?? "" });
  return { ...made, value: () => (made.input.value ? Number(made.input.value) : undefined) };
}

/** A list of texts, one per line. @returns {Field} */
export function linesField({ value, rows = 2, ...rest }) {
  const made = textField({ rows, spellcheck: "false", ...rest, value: (value ?? []).join("\n") });
  const lines = () =>
    made.input.value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  return { ...made, value: () => (lines().length ? lines() : undefined) };
}

/** A choice of a few; `options` are pairs of value and label. @returns {Field} */
export function selectField({ name, label, hint, options, value, ...properties }) {
  const { id, hintId, described } = ids(name, hint);
  const input = h(
    "select",
    { id, name, ...described, ...properties },
    options.map(([option, text]) => h("option", { value: option }, text)),
  );
  input.value = value ?? options[0][0];
  return { name, input, node: labelled(id, label, input, hint, hintId), value: () => input.value || undefined };
}

/** A tick. @returns {Field} */
export function tickField({ name, label, hint, value, ...properties }) {
  const { id, hintId, described } = ids(name, hint);
  const input = h("input", { id, name, type: "checkbox", checked: Boolean(value), ...described, ...properties });
  const node = h(
    "div",
    { class: "choice" },
    input,
    h("div", {}, h("label", { for: id }, label), hint && h("p", { id: hintId, class: "hint" }, hint)),
  );
  return { name, input, node, value: () => input.checked };
}

/** Several fields under one label. @returns {Field} */
export function groupField({ name, label, hint, fields, value }) {
  const hintId = freshId("hint");
  const node = h(
    "fieldset",
    { "aria-describedby": hint ? hintId : null },
    h("legend", {}, label),
    h(
      "div",
      { class: "row" },
      fields.map((field) => field.node),
    ),
    hint && h("p", { id: hintId, class: "hint" }, hint),
  );
  return { name, input: fields[0].input, node, value };
}

function ids(name, hint) {
  const [id, hintId] = [freshId(`field-${name}`), freshId("hint")];
  return { id, hintId, described: { "aria-describedby": hint ? hintId : null } };
}

function labelled(id, label, input, hint, hintId) {
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    input,
    hint && h("p", { id: hintId, class: "hint" }, hint),
  );
}
