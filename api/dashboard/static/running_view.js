// A campaign that has been started: its progress, rate and decisions, and beside them what it consists of.

import { accountOf } from "./accounts.js";
import { get, path } from "./client.js";
import { connection } from "./connection.js";
import { booksPanel, decisionPanels } from "./decisions.js";
import { fill, h } from "./dom.js";
import { downloadsPanel } from "./downloads.js";
import { listFacts } from "./lists/list_facts.js";
import { messagePanel } from "./message_panel.js";
import { findRecipient } from "./people/find_recipient.js";
import { progressPanel } from "./progress_panel.js";
import { historyPanel } from "./running/history_panel.js";
import { Pace } from "./running/pace.js";
import { reportPanel } from "./running/report_panel.js";
import { runPlot } from "./running/run_plot.js";
import { throughputPanel } from "./throughput.js";

/** The time between two looks at the account while the campaign runs, in ms. */
const ACCOUNT_MS = 5_000;

/** The events after which a campaign's speed is another. */
const CHANGES = ["started", "resumed", "rate_changed", "reopened", "failed_retried"];

/** The view. */
export function runningView(campaignId, { perform, steps }) {
  const pace = new Pace();
  const progress = progressPanel(pace);
  const rate = throughputPanel(campaignId, perform, pace);
  const plot = runPlot(campaignId);
  const decisions = decisionPanels(campaignId, perform);
  const others = [
    downloadsPanel(campaignId, perform),
    booksPanel(campaignId, perform),
    historyPanel(campaignId),
    reportPanel(campaignId),
    findRecipient(campaignId),
  ];
  const [downloads, books, history, report, find] = others;
  const list = listPanel(campaignId, perform);
  const message = messagePanel(campaignId, perform);
  const node = h(
    "div",
    { class: "stack" },
    steps,
    progress.node,
    report.node,
    h(
      "div",
      { class: "columns" },
      h("div", { class: "column" }, rate.node, plot.node, decisions.nodes, downloads.node),
      h("div", { class: "column" }, find.node, list.node, message.node, history.node, books.node),
    ),
  );
  let latest = null;
  let account = null;

  function update(status, campaign) {
    latest = { status, campaign };
    pace.take(status);
    progress.update(status, account);
    rate.update(status, account);
    rate.draw();
    plot.update(status);
    decisions.update(status);
    list.update(status, campaign);
    message.update(status, campaign);
    for (const panel of others) panel.update(status, campaign);
  }

  /** The account's limit and its circuit breaker decide about the speed, too. */
  async function lookAtAccount() {
    if (!latest || (account && latest.status.status !== "running") || document.hidden) return;
    account = await accountOf(latest.campaign).catch(() => account);
    update(latest.status, latest.campaign);
  }
  // A pause or another rate in the last minute says why the last minute is no measure.
  get(`${path(campaignId, "history")}?limit=10`)
    .then(({ history: entries }) => pace.changedAt(entries.find(({ event }) => CHANGES.includes(event))?.at))
    .catch(() => undefined);
  const timer = setInterval(lookAtAccount, ACCOUNT_MS);
  const redraw = () => latest && update(latest.status, latest.campaign);
  connection.addEventListener("workers", redraw);
  const leave = () => {
    clearInterval(timer);
    connection.removeEventListener("workers", redraw);
    for (const panel of [rate, plot, decisions, report]) panel.leave();
  };
  return { node, update, go: () => undefined, leave };
}

function listPanel(campaignId, perform) {
  const facts = h("div", { class: "stack" });
  const node = h(
    "section",
    { class: "panel", "aria-labelledby": "list-title" },
    h("h2", { id: "list-title" }, "List"),
    facts,
  );
  let shown = "";
  const update = (status, campaign) => {
    const now = JSON.stringify([status.total, status.rejected, status.excluded, campaign.filename]);
    if (now !== shown) fill(facts, listFacts(campaignId, status, campaign, perform));
    shown = now;
  };
  return { node, update };
}
