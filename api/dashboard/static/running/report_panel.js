// The report of a campaign that has ended, to keep or to print.

import { accountOf, destination } from "../accounts.js";
import { fill, h } from "../dom.js";
import { decimal, duration, number, percent, time } from "../format.js";
import { leftOut } from "../reasons.js";
import { readFailedReasons } from "./failed_reasons.js";

/** The counts of the provider's events, and what each is a share of. */
const EVENTS = [
  ["delivered", "Delivered"],
  ["bounced", "Bounced"],
  ["dropped", "Dropped by the provider"],
  ["complained", "Reported as spam"],
  ["unsubscribed", "Unsubscribed"],
  ["opened", "Opened"],
  ["clicked", "Clicked"],
];

/** How many reasons of failed rows are shown. */
const REASONS_SHOWN = 10;

/** The panel. */
export function reportPanel(campaignId) {
  const left = new AbortController();
  const body = h("div", { class: "stack" });
  const node = h(
    "section",
    { class: "panel report", "aria-labelledby": "report-title", hidden: true },
    h(
      "div",
      { class: "heading" },
      h("h2", { id: "report-title" }, "Report"),
      h("button", { class: "button small", type: "button", onclick: () => window.print() }, "Print or save as PDF"),
    ),
    body,
  );
  let shown = "";
  const update = (status, campaign) => {
    node.hidden = !["completed", "cancelled"].includes(status.status) || !status.started_at;
    if (node.hidden) return;
    const now = JSON.stringify(status);
    if (now === shown) return;
    shown = now;
    draw(campaignId, body, status, campaign, left.signal);
  };
  return { node, update, leave: () => left.abort() };
}

async function draw(campaignId, body, status, campaign, signal) {
  const account = await accountOf(campaign).catch(() => undefined);
  const reasons = status.failed ? await readFailedReasons(campaignId, signal).catch(() => null) : null;
  if (signal.aborted) return;
  const part = (value) => `${number(value)} (${percent(value, status.total)})`;
  const out = leftOut(status);
  const events = EVENTS.filter(([name]) => status[name] > 0).map(([name, label]) => [
    label,
    `${number(status[name])} (${percent(status[name], status.done)} of done)`,
  ]);
  fill(
    body,
    group("Emails", [
      ["Recipients", number(status.total)],
      ["Done", part(status.done)],
      ["Failed", part(status.failed)],
      ["Unknown", part(status.unknown)],
      ["Not sent", part(status.pending - status.unknown)],
      ["Left out", out.length ? out.join(", ") : "no row"],
    ]),
    reasons?.rows > 0 &&
      group(
        "Failed, by reason",
        reasons.groups.slice(0, REASONS_SHOWN).map(({ reason, count }) => [number(count), reason]),
      ),
    group("What the provider reports", events.length ? events : [["Events", "none yet"]]),
    group("Run", [
      ["From", campaign.from],
      ["Subject", campaign.subject],
      ["Emails went to", account && destination(account)],
      ["Started", time(status.started_at)],
      [status.status === "cancelled" ? "Cancelled" : "Finished", time(status.finished_at)],
      ["Duration", duration(seconds(status))],
      ["Average", average(status)],
      ["Limit at the end", `${number(status.rate_limit)} emails per minute`],
      ["Retries", number(status.retries)],
    ]),
  );
}

function seconds({ started_at: from, finished_at: to }) {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}

function average(status) {
  const minutes = seconds(status) / 60;
  return minutes > 0 ? `${decimal((status.done + status.failed) / minutes)} emails per minute` : "not known";
}

function group(title, facts) {
  return h(
    "div",
    {},
    h("h3", {}, title),
    h(
      "dl",
      { class: "pairs" },
      facts.filter(([, value]) => value).map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
    ),
  );
}
