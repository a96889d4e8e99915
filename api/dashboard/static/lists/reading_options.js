// How a list is to be read, where it was not recognised rightly: column of addresses, encoding, delimiter, sheet.

import { h } from "../dom.js";
import { selectField, textField } from "../making/field_kinds.js";
import { DELIMITERS } from "./list_facts.js";

const RECOGNISED = ["", "recognised"];
/** The encodings that lists have; the server knows more, and the field takes their names too. */
const ENCODINGS = [
  "utf-8",
  "utf-16",
  "cp1252",
  "iso-8859-1",
  "iso-8859-2",
  "cp1250",
  "cp1251",
  "koi8-r",
  "iso-8859-15",
  "mac_roman",
  "shift_jis",
  "euc-jp",
  "gb18030",
  "big5",
  "euc-kr",
];

/**
 * The fields.
 *
 * @param {() => void} changed called when one has been changed
 */
export function readingOptions(changed) {
  const column = textField({
    name: "email_column",
    label: "Email column",
    maxlength: 200,
    placeholder: "recognised",
    autocomplete: "off",
    list: "list-columns",
  });
  const names = h("datalist", { id: "list-columns" });
  const encoding = selectField({
    name: "encoding",
    label: "Encoding",
    options: [RECOGNISED, ...ENCODINGS.map((name) => [name, name])],
  });
  const delimiter = selectField({
    name: "delimiter",
    label: "Delimiter",
    options: [RECOGNISED, ...Object.entries(DELIMITERS)],
  });
  const sheet = textField({
    name: "sheet",
    label: "Sheet",
    maxlength: 200,
    placeholder: "the first",
    autocomplete: "off",
  });
  const fields = [column, encoding, delimiter, sheet];
  const node = h(
    "div",
    { class: "row options" },
    fields.map((field) => field.node),
    names,
  );
  node.addEventListener("change", changed);

  /** @returns {Record<string, string>} only what a person has set */
  const value = () => {
    const set = {};
    for (const { name, input } of fields)
      if (input.value.trim() && !input.closest("[hidden]")) set[name] = input.value.trim();
    return set;
  };
  /** Show what fits the format, and offer the columns that were found. */
  const update = (found) => {
    const isSheet = /xlsx|ods/.test(found?.format ?? "");
    sheet.node.hidden = !isSheet;
    encoding.node.hidden = delimiter.node.hidden = isSheet;
    names.replaceChildren(...(found?.columns ?? []).filter(Boolean).map((name) => h("option", { value: name })));
  };
  const reset = () => {
    for (const { input } of fields) input.value = "";
    update(null);
  };
  reset();
  return { node, value, update, reset };
}
