// The suppression list: look an address up, add addresses, add a CSV, download all.

import { get, post, send } from "../client.js";
import { fill, h } from "../dom.js";
import { download } from "../downloads.js";
import { bytes, count } from "../format.js";
import { selectField, textField } from "../making/field_kinds.js";
import { noticeBox } from "../notice_box.js";
import { performer } from "../performer.js";
import { suppressionFacts, suppressionWords } from "./suppression_facts.js";

const REASONS = ["manual", "unsubscribed", "complained", "bounced"].map((reason) => [reason, suppressionWords(reason)]);
/** A large CSV may take long, in ms. */
const PATIENCE_MS = 600_000;

/** The page. */
export function suppressionsPage() {
  const notice = noticeBox();
  const perform = performer(notice, async () => undefined);
  document.title = "Suppressions - Postrider";
  const node = h(
    "div",
    { class: "stack" },
    h("h1", { tabindex: "-1" }, "Suppressions"),
    h(
      "p",
      { class: "quiet" },
      "Addresses that get no marketing email, from any campaign; after a bounce or a spam report no email at all. These and unsubscribes come here by themselves.",
    ),
    notice.node,
    h(
      "div",
      { class: "columns" },
      h("div", { class: "column" }, lookUp(perform)),
      h("div", { class: "column" }, adding(perform), files(perform)),
    ),
  );
  return { node, leave: () => undefined };
}

function lookUp(perform) {
  const email = textField({
    name: "email",
    label: "Email address",
    type: "email",
    required: true,
    autocomplete: "off",
    placeholder: "ann@example.com",
  });
  const found = h("div", {});
  const look = () =>
    get(`/suppressions?${new URLSearchParams({ email: email.input.value.trim() })}`)
      .then((facts) => fill(found, suppressionFacts(facts, perform, look)))
      .catch((error) => fill(found, h("p", { class: "problem", role: "alert" }, error.message)));
  const submit = (event) => {
    event.preventDefault();
    look();
  };
  return [
    h(
      "section",
      { class: "panel", "aria-labelledby": "look-title" },
      h("h2", { id: "look-title" }, "Look an address up"),
      h(
        "form",
        { class: "fields", onsubmit: submit },
        email.node,
        h("div", { class: "actions" }, h("button", { class: "button primary", type: "submit" }, "Look up")),
      ),
    ),
    found,
  ];
}

function adding(perform) {
  const emails = textField({
    name: "emails",
    label: "Addresses",
    rows: 4,
    required: true,
    spellcheck: "false",
    hint: "One per line, or separated by commas. Up to 10,000; more as CSV.",
  });
  const reason = selectField({ name: "reason", label: "Reason", options: REASONS });
  const submit = (event) => {
    event.preventDefault();
    perform(async () => {
      const wanted = emails.input.value.split(/[\s,;]+/).filter(Boolean);
      const { added, already } = await post("/suppressions", { emails: wanted, reason: reason.value() });
      emails.input.value = "";
      return said(added, already);
    });
  };
  return h(
    "section",
    { class: "panel", "aria-labelledby": "add-title" },
    h("h2", { id: "add-title" }, "Add addresses"),
    h(
      "form",
      { class: "fields", onsubmit: submit },
      emails.node,
      reason.node,
      h("div", { class: "actions" }, h("button", { class: "button", type: "submit", "data-step": true }, "Add")),
    ),
  );
}

function files(perform) {
  const file = textField({
    name: "file",
    label: "CSV with addresses",
    type: "file",
    accept: ".csv,.txt,text/csv",
    required: true,
    hint: "With a column of addresses, and one named “reason” if you like.",
  });
  const reason = selectField({ name: "csv-reason", label: "Reason of rows without one", options: REASONS });
  const submit = (event) => {
    event.preventDefault();
    const [chosen] = file.input.files;
    perform(async () => {
      const answer = await send("POST", `/suppressions/upload?${new URLSearchParams({ reason: reason.value() })}`, {
        body: chosen,
        headers: { "Content-Type": "text/csv" },
        timeoutMs: PATIENCE_MS,
      });
      const { added, already, invalid } = await answer.json();
      file.input.value = "";
      return `${chosen.name} (${bytes(chosen.size)}): ${said(added, already)}${invalid ? ` ${count(invalid, "row")} without a valid address.` : ""}`;
    });
  };
  const save = () => perform(() => download("/suppressions.csv", "suppressions.csv"), { alone: false });
  return h(
    "section",
    { class: "panel", "aria-labelledby": "csv-title" },
    h("h2", { id: "csv-title" }, "As CSV"),
    h(
      "form",
      { class: "fields", onsubmit: submit },
      file.node,
      reason.node,
      h(
        "div",
        { class: "actions" },
        h("button", { class: "button", type: "submit", "data-step": true }, "Add the CSV"),
        h("button", { class: "button", type: "button", onclick: save }, "Download the list"),
      ),
    ),
  );
}

function said(added, already) {
  return `${count(added, "address", "addresses")} added${already ? `, ${count(already, "address", "addresses")} on the list already` : ""}.`;
}
