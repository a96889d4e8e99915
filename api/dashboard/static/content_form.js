// The form for a campaign's content: for a new campaign, and to change one before it starts.

import { Problem, get, path, post } from "./client.js";
import { fill, h } from "./dom.js";
import { listFields } from "./list_panel.js";
import { beginUpload } from "./upload.js";

const DRAFT = "draft";
/** Fields of the form; `name` is the API's. */
const FIELDS = [
  { name: "from", label: "From", required: true, placeholder: "News <news@example.com>", autocomplete: "email" },
  { name: "reply_to", label: "Reply-To (optional)", placeholder: "help@example.com", autocomplete: "email" },
  { name: "subject", label: "Subject", required: true, maxlength: 998 },
  {
    name: "text",
    label: "Text",
    rows: 7,
    hint: "Text, HTML or both; with both, the mail program chooses. {{ name }} stands for the list's column “name”.",
  },
  { name: "html", label: "HTML", rows: 7, hint: "Column values are HTML-escaped." },
  {
    name: "tpm",
    label: "Emails per minute (optional)",
    type: "number",
    min: 1,
    max: 10_000_000,
    inputmode: "numeric",
    hint: "You can change it at any time. Leave it empty for the server's default.",
  },
];
const ON_UNKNOWN = [
  ["hold", "Hold the row until someone decides", "No recipient gets the email twice."],
  ["resend", "Send it again after a while", "Some recipients may get it twice, but none is left out."],
];

/** The page for a new campaign. */
export function newCampaignPage() {
  const id = field({
    name: "id",
    label: "Campaign id",
    required: true,
    pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]{0,63}",
    maxlength: 64,
    autocomplete: "off",
    spellcheck: "false",
    hint: "Letters, digits, _ and -, as in spring-2026. You cannot change it later.",
    title: "1 to 64 letters, digits, _ and -, the first a letter or digit",
  });
  const content = contentFields(JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}"));
  const list = listFields();
  const form = sheet(
    "Create campaign",
    [id.node, content.node, h("fieldset", {}, h("legend", {}, "List (optional, you can upload it later)"), list.node)],
    create,
  );
  form.node.addEventListener("input", () => sessionStorage.setItem(DRAFT, JSON.stringify(content.value())));

  async function create() {
    const name = id.input.value.trim();
    await post(path(name), content.value(), { method: "PUT", headers: { "If-None-Match": "*" } });
    sessionStorage.removeItem(DRAFT);
    if (list.chosen()) beginUpload(name, list.chosen(), list.column());
    location.hash = `#${path(name)}`;
  }
  document.title = "New campaign - Postrider";
  return {
    node: h("div", { class: "narrow" }, h("h1", { tabindex: "-1" }, "New campaign"), form.node),
    leave: () => undefined,
  };
}

/** The page to change a campaign. */
export function editCampaignPage(campaignId) {
  const node = h(
    "div",
    { class: "narrow" },
    h("p", {}, h("a", { class: "back", href: `#${path(campaignId)}` }, "Back to the campaign")),
    h("h1", { tabindex: "-1", class: "id" }, campaignId),
  );
  const body = h("div", {}, h("p", { class: "quiet" }, "Loading…"));
  node.append(body);
  const left = new AbortController();
  get(path(campaignId), { signal: left.signal })
    .then((campaign) => {
      const content = contentFields(campaign);
      const save = async () => {
        await post(path(campaignId), { ...kept(campaign), ...content.value() }, { method: "PUT" });
        location.hash = `#${path(campaignId)}`;
      };
      fill(body, sheet("Save", [content.node], save).node);
    })
    .catch((error) => left.signal.aborted || fill(body, h("p", { class: "problem", role: "alert" }, error.message)));
  document.title = `Edit ${campaignId} - Postrider`;
  return { node, leave: () => left.abort() };
}

/** The fields that the form does not show. They keep their values. */
function kept(campaign) {
  const { headers, weight, ramp, where, duplicates, exclude, inline_css, unsubscribe, tracking, brake } = campaign;
  const text = campaign.text_from_html === false ? false : undefined;
  return { headers, weight, ramp, where, duplicates, exclude, inline_css, text_from_html: text, unsubscribe, tracking, brake };
}

function sheet(label, parts, submit) {
  const problem = h("div", { role: "alert" });
  const button = h("button", { class: "button primary", type: "submit" }, label);
  const node = h(
    "form",
    { class: "panel sheet", onsubmit: send },
    parts,
    problem,
    h("div", { class: "actions" }, button),
  );

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    fill(problem);
    for (const marked of node.querySelectorAll("[aria-invalid]")) marked.removeAttribute("aria-invalid");
    try {
      await submit();
    } catch (error) {
      fill(problem, h("div", { class: "callout danger" }, h("p", {}, error.message)));
      mark(node, error);
    } finally {
      button.disabled = false;
    }
  }
  return { node };
}

/** Mark the invalid field. The API's detail begins with its name. */
function mark(form, error) {
  if (!(error instanceof Problem)) return;
  const name = error.status === 412 ? "id" : /^(\w+)[,:]/.exec(error.message)?.[1];
  const input = name && form.elements.namedItem(name);
  if (!input?.focus) return;
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

function field({ name, label, hint, rows, ...properties }) {
  const [id, hintId] = [`field-${name}`, `hint-${name}`];
  const described = { id, name, "aria-describedby": hint ? hintId : null, ...properties };
  const input = rows
    ? h("textarea", { rows, spellcheck: "true", ...described })
    : h("input", { type: "text", ...described });
  return {
    name,
    input,
    node: h(
      "div",
      { class: "field" },
      h("label", { for: id }, label),
      input,
      hint && h("p", { id: hintId, class: "hint" }, hint),
    ),
  };
}

function contentFields(values) {
  const fields = FIELDS.map(field);
  for (const { name, input } of fields) input.value = values[name] ?? "";
  const choices = ON_UNKNOWN.map(([value, label, meaning]) => {
    const input = h("input", {
      type: "radio",
      name: "on_unknown",
      value,
      id: `unknown-${value}`,
      checked: (values.on_unknown ?? "hold") === value,
    });
    return {
      value,
      input,
      node: h(
        "div",
        { class: "choice" },
        input,
        h("label", { for: `unknown-${value}` }, label, h("span", { class: "hint" }, ` ${meaning}`)),
      ),
    };
  });
  const [from, replyTo, ...others] = fields.map((made) => made.node);
  const node = h(
    "div",
    { class: "fields" },
    h("div", { class: "pair" }, from, replyTo),
    others,
    h(
      "fieldset",
      {},
      h("legend", {}, "If it is unknown whether the provider accepted an email"),
      choices.map((choice) => choice.node),
    ),
  );
  const value = () => {
    const content = { on_unknown: choices.find((choice) => choice.input.checked).value };
    for (const { name, input } of fields)
      if (input.value.trim()) content[name] = name === "tpm" ? Number(input.value) : input.value;
    return content;
  };
  return { node, value };
}
