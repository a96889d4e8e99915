// The provider accounts with their limits, circuit breakers and webhooks, and the history of the installation.

import { accounts, destination } from "./accounts.js";
import { get } from "./client.js";
import { fill, h } from "./dom.js";
import { count, number, time } from "./format.js";
import { historyLine } from "./running/history_panel.js";

const REFRESH_MS = 5_000;
const BREAKERS = {
  closed: "Closed: emails are sent",
  open: "Open: nothing is sent for now",
  "half-open": "Half-open: one email tests whether the provider accepts again",
};

/** The page; `leave` ends its requests. */
export function accountsPage() {
  const list = h("div", { class: "columns" }, h("p", { class: "quiet" }, "Loading…"));
  const entries = h("ol", { class: "marks" });
  const node = h(
    "div",
    { class: "stack" },
    h("h1", { tabindex: "-1" }, "Accounts"),
    h("p", { class: "quiet" }, "The provider accounts that send. They come from the server's settings."),
    list,
    h(
      "section",
      { class: "panel", "aria-labelledby": "events-title" },
      h("h2", { id: "events-title" }, "What happened to the installation"),
      entries,
    ),
  );
  let shown = "";
  let timer = null;
  let left = false;

  async function look() {
    clearTimeout(timer);
    try {
      const [found, past] = await Promise.all([accounts(), get("/history?limit=20")]);
      if (left) return;
      const now = JSON.stringify([found, past]);
      if (now !== shown) draw(found, past.history);
      shown = now;
    } catch (error) {
      if (!left && !shown) fill(list, h("p", { class: "problem", role: "alert" }, error.message));
    }
    if (!left) timer = setTimeout(look, REFRESH_MS);
  }

  function draw(found, past) {
    fill(list, found.map(card));
    fill(entries, past.length ? past.map(historyLine) : h("li", { class: "quiet" }, "Nothing yet."));
  }
  document.title = "Accounts - Postrider";
  look();
  const leave = () => {
    left = true;
    clearTimeout(timer);
  };
  return { node, leave };
}

function card(account) {
  const facts = [
    ["Emails go to", destination(account)],
    ["Circuit breaker", BREAKERS[account.breaker] ?? account.breaker],
    ["Reason", account.reason],
    [
      "Sent in the last minute",
      account.tpm ? `${number(account.sent_last_minute)} of ${number(account.tpm)}` : number(account.sent_last_minute),
    ],
    ["Limit", account.tpm ? `${number(account.tpm)} emails per minute` : "none; each campaign has its own"],
    ["Fallback", account.fallback],
    ["Webhook", account.webhook && webhookText(account.webhook)],
  ].filter(([, value]) => value);
  return h(
    "section",
    { class: account.breaker === "closed" ? "panel" : "panel attention failed", "aria-label": account.name },
    h("h2", {}, account.name),
    h(
      "dl",
      { class: "pairs" },
      facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
    ),
  );
}

function webhookText({ enabled, last_event_at: last, refused_signatures: refused, last_refused_reason: reason }) {
  if (!enabled) return "off: delivered, bounced and complained are not known";
  const came = last ? `last event ${time(last)}` : "no event yet";
  return refused ? `${came}; ${count(refused, "request")} refused: ${reason}` : came;
}
