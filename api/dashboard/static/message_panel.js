// The panel with a campaign's message: what it says, what was found about it, a preview, and test emails.

import { path, post } from "./client.js";
import { announce, fill, freshId, h } from "./dom.js";
import { findingList } from "./findings.js";

/** The panel. */
export function messagePanel(campaignId, perform) {
  const body = h("div", {});
  const found = h("div", {});
  const edit = h("a", { class: "button small", href: `#${path(campaignId, "edit")}` }, "Edit");
  const sample = samplePanel(campaignId, perform);
  const node = h(
    "section",
    { class: "panel", "aria-labelledby": "message-title" },
    h("h2", { id: "message-title" }, "Message"),
    body,
    h("div", { class: "actions" }, edit),
    found,
    sample.node,
  );
  let shown = null;
  const update = (status, campaign) => {
    edit.parentNode.hidden = !status.changeable;
    sample.update(status);
    if (shown === campaign) return;
    fill(body, messageFacts(campaign));
    fill(found, status.changeable && findings(campaign.warnings ?? []));
    shown = campaign;
  };
  return { node, update };
}

function findings(warnings) {
  return warnings.length > 0 && [h("h3", {}, "Checks"), findingList(warnings)];
}

/** A preview of one row, and the form for test emails of it. */
function samplePanel(campaignId, perform) {
  const [rowId, toId] = [freshId("row"), freshId("to")];
  const row = h("input", { id: rowId, type: "number", min: 1, value: "1", inputmode: "numeric" });
  const to = h("input", { id: toId, type: "text", autocomplete: "email", placeholder: "you@example.com, …" });
  const shown = h("div", { class: "preview" });
  const results = h("ul", { class: "findings", "aria-label": "Test emails" });
  const submit = (step) => (event) => {
    event.preventDefault();
    perform(step, { alone: false });
  };
  const node = h(
    "div",
    { class: "sample" },
    h("h3", {}, "Preview and test"),
    h(
      "form",
      { class: "inline", onsubmit: submit(show) },
      h("label", { for: rowId }, "Row of the list"),
      row,
      h("button", { class: "button", type: "submit" }, "Preview"),
    ),
    shown,
    h(
      "form",
      { class: "inline", onsubmit: submit(test) },
      h("label", { for: toId }, "Send to"),
      to,
      h("button", { class: "button", type: "submit" }, "Send test email"),
    ),
    results,
  );
  const wanted = () => (row.value ? { row: Number(row.value) } : {});

  async function show() {
    const email = await post(path(campaignId, "preview"), wanted());
    fill(shown, emailShown(email));
    announce(`Preview for ${email.to}`);
  }

  async function test() {
    const addresses = to.value.split(/[\s,;]+/).filter(Boolean);
    const answer = await post(path(campaignId, "test-send"), { to: addresses, ...wanted() });
    fill(
      results,
      answer.results.map((one) => h("li", {}, `${one.to}: ${one.outcome}${one.reason ? `, ${one.reason}` : ""}`)),
    );
    announce("Test emails sent");
  }

  const update = (status) => {
    node.hidden = !status.has_list;
  };
  return { node, update };
}

function emailShown(email) {
  const headers = [["To", email.to], ["Subject", email.subject], ...Object.entries(email.headers)];
  return [
    h(
      "dl",
      { class: "pairs" },
      headers.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    email.html && htmlFrame(email.html),
    email.text && h("details", { open: !email.html }, h("summary", {}, "Text"), h("pre", { tabindex: "0" }, email.text)),
  ];
}

/**
 * The HTML of an email. The frame runs no script, has no origin and cannot reach the page. Attached images are left out:
 * their addresses mean something in an email only.
 */
function htmlFrame(html) {
  const bare = html.replaceAll(/(["'])cid:[^"']*/gi, "$1data:,");
  const address = `data:text/html;charset=utf-8,${encodeURIComponent(bare)}`;
  return h("iframe", { class: "email", sandbox: "", title: "HTML of the email", src: address, tabindex: "0" });
}

function messageFacts(campaign) {
  const held = campaign.on_unknown === "hold" ? "held until someone decides" : "sent again automatically after a while";
  const facts = [
    ["From", campaign.from],
    ["Reply-To", campaign.reply_to],
    ["Subject", campaign.subject],
    ["Unknown rows", held],
    ...Object.entries(campaign.headers),
  ].filter(([, value]) => value);
  return [
    h(
      "dl",
      { class: "pairs" },
      facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    [
      ["Text", campaign.text],
      ["HTML", campaign.html],
    ].map(([name, source]) => source && h("details", {}, h("summary", {}, name), h("pre", { tabindex: "0" }, source))),
  ];
}
