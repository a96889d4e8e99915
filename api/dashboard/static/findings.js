// The findings of the checks, each with what it stops and its place, the same on every page.

import { fill, h } from "./dom.js";

/**
 * @typedef {object} Finding
 * @property {string} code
 * @property {string} message
 * @property {string} [field] `from`, `subject`, `html`, `text`, `list`, ...
 * @property {number|null} [line]
 * @property {number|null} [column]
 * @property {"error"|"stops_start"|"acknowledge"|"hint"} [level]
 */

/** What a finding stops, by its level. */
const LEVELS = {
  error: "Mistake",
  stops_start: "Stops the start",
  acknowledge: "Must be accepted",
  hint: "Hint",
};
/** The most findings that are shown at first. */
const SHOWN = 8;

/**
 * A list of findings. With `open`, each place in a template is a button that calls it with the finding.
 *
 * @param {Finding[]} found
 * @param {(finding: Finding) => void} [open]
 */
export function findingList(found, open) {
  const lines = found.map((one) => line(one, open));
  const rest = lines.slice(SHOWN);
  return [
    h("ul", { class: "findings" }, lines.slice(0, SHOWN)),
    rest.length > 0 && h("details", {}, h("summary", {}, `${rest.length} more`), h("ul", { class: "findings" }, rest)),
  ];
}

function line(finding, open) {
  const level = LEVELS[finding.level] ?? (finding.level ? finding.level : null);
  const where = placeOf(finding);
  const place =
    open && finding.line ? h("button", { class: "link", type: "button", onclick: () => open(finding) }, where) : where;
  return h(
    "li",
    { class: finding.level ?? "acknowledge" },
    level && h("strong", { class: "level" }, level),
    " ",
    where && [place, ": "],
    marked(sentence(finding)),
  );
}

/** "html, line 3, character 7" */
function placeOf({ field, line: row, column }) {
  return [field, row && `line ${row}`, row && column && `character ${column}`].filter(Boolean).join(", ");
}

/** The message as a sentence, without the field's name, which stands before it already. */
function sentence({ field, message }) {
  const bare = field && message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
  const text = bare.charAt(0).toUpperCase() + bare.slice(1);
  return /[.?!]$/.test(text) ? text : `${text}.`;
}

/** A text with the words between backticks as code. */
function marked(text) {
  return text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));
}

/** Fill a node with findings, or with the words for none. */
export function showFindings(node, found, none, open) {
  return fill(node, found.length ? findingList(found, open) : h("p", { class: "good" }, none));
}
