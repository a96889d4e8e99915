// A campaign that has been started: its progress, rate and decisions, and beside them what it consists of.

import { booksPanel, decisionPanels } from "./decisions.js";
import { fill, h } from "./dom.js";
import { downloadsPanel } from "./downloads.js";
import { listFacts } from "./lists/list_facts.js";
import { messagePanel } from "./message_panel.js";
import { progressPanel } from "./progress_panel.js";
import { throughputPanel } from "./throughput.js";

/** The view. */
export function runningView(campaignId, { perform, steps }) {
  const progress = progressPanel();
  const rate = throughputPanel(campaignId, perform);
  const decisions = decisionPanels(campaignId, perform);
  const downloads = downloadsPanel(campaignId, perform);
  const list = listPanel(campaignId, perform);
  const message = messagePanel(campaignId, perform);
  const books = booksPanel(campaignId, perform);
  const node = h(
    "div",
    { class: "stack" },
    steps,
    progress.node,
    h(
      "div",
      { class: "columns" },
      h("div", { class: "column" }, rate.node, decisions.nodes, downloads.node),
      h("div", { class: "column" }, list.node, message.node, books.node),
    ),
  );
  const update = (status, campaign) => {
    progress.update(status);
    rate.update(status);
    rate.draw();
    decisions.update(status);
    downloads.update(status);
    list.update(status, campaign);
    message.update(status, campaign);
    books.update(status);
  };
  return { node, update, go: () => undefined, leave: rate.leave };
}

function listPanel(campaignId, perform) {
  const facts = h("div", { class: "stack" });
  const node = h("section", { class: "panel", "aria-labelledby": "list-title" }, h("h2", { id: "list-title" }, "List"), facts);
  let shown = "";
  const update = (status, campaign) => {
    const now = JSON.stringify([status.total, status.rejected, status.excluded, campaign.filename]);
    if (now !== shown) fill(facts, listFacts(campaignId, status, campaign, perform));
    shown = now;
  };
  return { node, update };
}
