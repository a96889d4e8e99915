// The form for a campaign's content: sender, subject and templates, with the list's columns to insert, and "More".

import { fill, h } from "../dom.js";
import { numberField, textField } from "./field_kinds.js";
import { moreFields } from "./more_fields.js";
import { senderCheck } from "./sender_check.js";

/** How many columns are offered at first. */
const COLUMNS_SHOWN = 12;

/**
 * The form's fields.
 *
 * @param {Record<string, unknown>} values the campaign, or a draft of one
 * @param {Set<string>} names the fields that the server knows
 */
export function contentFields(values, names) {
  const from = textField({
    name: "from",
    label: "From",
    value: values.from,
    required: true,
    placeholder: "News <news@example.com>",
    autocomplete: "email",
  });
  const replyTo = textField({
    name: "reply_to",
    label: "Reply-To (optional)",
    value: values.reply_to,
    placeholder: "help@example.com",
    autocomplete: "email",
  });
  const subject = textField({
    name: "subject",
    label: "Subject",
    value: values.subject,
    required: true,
    maxlength: 998,
  });
  const text = textField({
    name: "text",
    label: "Text",
    rows: 8,
    value: values.text,
    spellcheck: "true",
    hint: "Text, HTML or both; with both, the mail program chooses.",
  });
  const html = textField({
    name: "html",
    label: "HTML",
    rows: 12,
    value: values.html,
    spellcheck: "false",
    hint: "Column values are HTML-escaped.",
  });
  const tpm = numberField({
    name: "tpm",
    label: "Emails per minute (optional)",
    value: values.tpm,
    min: 1,
    max: 10_000_000,
    step: 1,
    inputmode: "numeric",
    hint: "You can change it at any time. Empty: the server's default.",
  });
  const more = moreFields(values, names);
  const templates = [subject, text, html].map((field) => field.input);
  const palette = columnPalette(templates);
  const fields = [from, replyTo, subject, text, html, tpm, ...more.fields];
  const node = h(
    "div",
    { class: "fields" },
    h(
      "div",
      { class: "field" },
      h("div", { class: "pair" }, from.node, replyTo.node),
      senderCheck(() => from.input.value).node,
    ),
    palette.node,
    subject.node,
    text.node,
    html.node,
    tpm.node,
    more.node,
  );

  /** The content for the API; fields that the form does not show keep the values in `kept`. */
  function value(kept = {}) {
    const content = { ...kept };
    for (const field of fields) {
      const now = field.value();
      if (now === undefined) delete content[field.name];
      else content[field.name] = now;
    }
    return content;
  }

  /** Put the cursor where a finding is, and select its line from there. */
  function open({ field, line, column }) {
    const found = fields.find(({ name }) => name === field);
    if (!found) return;
    if (more.fields.includes(found)) more.open();
    found.input.focus();
    if (!line || !found.input.setSelectionRange) return;
    const lines = found.input.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    found.input.setSelectionRange(start + (column ?? 1) - 1, start + (lines[line - 1] ?? "").length);
  }

  /** Mark the fields of these mistakes, and focus the first one. */
  function mark(mistakes) {
    for (const { input } of fields) input.removeAttribute("aria-invalid");
    const names = mistakes.map((mistake) => mistake.field);
    const wrong = fields.filter(({ name }) => names.includes(name));
    for (const { input } of wrong) input.setAttribute("aria-invalid", "true");
    if (wrong.length) open(mistakes.find((mistake) => mistake.field === wrong[0].name));
  }
  return { node, value, open, mark, showColumns: palette.update };
}

/** The columns of the list as buttons: each inserts its tag where the cursor was last in a template. */
function columnPalette(templates) {
  let last = templates[0];
  let shown = null;
  const body = h("div", {});
  const node = h("div", { class: "field palette", role: "group", "aria-label": "Insert a column" }, body);
  for (const input of templates)
    input.addEventListener("focus", () => {
      last = input;
    });

  function insert(name) {
    const tag = `{{ ${name} }}`;
    last.focus();
    last.setRangeText(tag, last.selectionStart, last.selectionEnd, "end");
    last.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function update(columns) {
    const names = columns.filter(Boolean);
    if (shown === names.join("\n")) return;
    shown = names.join("\n");
    const buttons = names.map((name) =>
      h("button", { class: "column-tag", type: "button", onclick: () => insert(name) }, name),
    );
    const rest = buttons.splice(COLUMNS_SHOWN);
    fill(
      body,
      names.length
        ? [
            h("p", { class: "hint" }, "Insert a column of the list where the cursor is:"),
            h("div", { class: "tags" }, buttons),
            rest.length > 0 &&
              h("details", {}, h("summary", {}, `${rest.length} more`), h("div", { class: "tags" }, rest)),
          ]
        : h(
            "p",
            { class: "hint" },
            "{{ name }} stands for the list's column “name”. Once there is a list, its columns are offered here.",
          ),
    );
  }
  update([]);
  return { node, update };
}
