// The name of a new campaign, and the id that is made from it.

import { h, write } from "../dom.js";
import { textField } from "./field_kinds.js";

const MAX_ID = 64;

/**
 * The id that a name gives: "Spring sale, 2026!" -> "spring-sale-2026". "" if the name has no usable character.
 *
 * @param {string} name
 */
function idFrom(name) {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/ß/g, "ss")
    .replace(/[øØ]/g, "o")
    .replace(/[æÆ]/g, "ae")
    .replace(/[łŁ]/g, "l")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, MAX_ID)
    .replace(/-+$/, "");
}

/** The fields for name and id. The id follows the name until someone changes it. `first`: the name at first. */
export function campaignName(first = "") {
  const name = textField({
    name: "name",
    label: "Name",
    required: true,
    autocomplete: "off",
    maxlength: 200,
    placeholder: "Spring sale 2026",
    value: first,
  });
  const id = textField({
    name: "id",
    label: "Campaign id",
    required: true,
    pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]{0,63}",
    maxlength: MAX_ID,
    autocomplete: "off",
    spellcheck: "false",
    hint: "Letters, digits, _ and -. You cannot change it later.",
    title: "1 to 64 letters, digits, _ and -, the first a letter or digit",
  });
  const shown = h("span", {}, "made from the name");
  const summary = h("summary", {}, "Id: ", shown);
  const more = h("details", { class: "id-field" }, summary, id.node);
  let own = false;
  const follow = () => {
    if (!own) id.input.value = idFrom(name.input.value) || (name.input.value.trim() ? dated() : "");
    write(shown, id.input.value || "made from the name");
  };
  name.input.addEventListener("input", follow);
  id.input.addEventListener("input", () => {
    own = Boolean(id.input.value);
    follow();
  });
  id.input.addEventListener("invalid", () => {
    more.open = true;
  });
  const refuse = () => {
    more.open = true;
    id.input.setAttribute("aria-invalid", "true");
    id.input.focus();
  };
  follow();
  return {
    node: h("div", { class: "field" }, name.node, more),
    input: name.input,
    id: () => id.input.value.trim(),
    refuse,
  };
}

/** For a name without a Latin letter or digit. */
function dated() {
  return `campaign-${new Date().toISOString().slice(0, 10)}`;
}
