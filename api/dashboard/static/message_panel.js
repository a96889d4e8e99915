// A started campaign's message: what it says, a preview of any row, and test emails.

import { fill, h } from "./dom.js";
import { previewPanel } from "./making/preview_panel.js";
import { testSend } from "./making/test_send.js";

/** The panel. */
export function messagePanel(campaignId, perform) {
  const body = h("div", { class: "stack" });
  const preview = previewPanel(campaignId);
  const test = testSend(campaignId, preview.row, perform);
  const rows = h(
    "details",
    { ontoggle: () => rows.open && preview.show() },
    h("summary", {}, "Preview and test email"),
    h("div", { class: "stack" }, preview.node, test.node),
  );
  test.node.classList.remove("panel");
  const node = h(
    "section",
    { class: "panel", "aria-labelledby": "message-title" },
    h("h2", { id: "message-title" }, "Message"),
    body,
    rows,
  );
  let shown = null;
  const update = (status, campaign) => {
    preview.update(status);
    rows.hidden = !status.has_list;
    if (shown === campaign) return;
    fill(body, messageFacts(campaign));
    shown = campaign;
  };
  return { node, update };
}

function messageFacts(campaign) {
  const held = campaign.on_unknown === "hold" ? "Held until someone decides" : "Sent again automatically after a while";
  const facts = [
    ["From", campaign.from],
    ["Reply-To", campaign.reply_to],
    ["Subject", campaign.subject],
    ["Unknown rows", held],
    ...Object.entries(campaign.headers),
  ].filter(([, value]) => value);
  const sources = [
    ["Text", campaign.text],
    ["HTML", campaign.html],
  ];
  return [
    h(
      "dl",
      { class: "pairs" },
      facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    sources.map(
      ([name, source]) => source && h("details", {}, h("summary", {}, name), h("pre", { tabindex: "0" }, source)),
    ),
  ];
}
