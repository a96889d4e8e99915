// The list of campaigns: one page of it, refreshed while it is shown.

import { connection } from "./connection.js";
import { get, path } from "./client.js";
import { fill, h, write } from "./dom.js";
import { progressBar, settled, statusBadge } from "./figures.js";
import { count, number, percent } from "./format.js";

const PAGE = 20;
/** The time between two requests, in ms: while a campaign on the page changes, and while none does. */
const LIVE_MS = 2_000;
const QUIET_MS = 5_000;
const MOVING = new Set(["parsing", "running"]);

/** Label, text, and whether the figure needs attention. */
const FIGURES = [
  ["Done", (status) => number(status.done)],
  ["Failed", (status) => number(status.failed), (status) => status.failed > 0],
  ["Unknown", (status) => number(status.unknown), (status) => status.unknown > 0],
  ["Pending", (status) => number(status.pending)],
  ["Total", (status) => number(status.total)],
  ["Per minute", (status) => number(status.rate_limit)],
];

/** The page; `leave` ends its requests. */
export function campaignsPage(pageNumber) {
  const body = h("div", {}, h("p", { class: "quiet" }, "Loading…"));
  const total = h("span", { class: "quiet" });
  const node = h("div", {}, h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, "Campaigns"), total), body);
  const rows = new Map();
  const left = new AbortController();
  let timer = null;
  let shown = "";

  async function look() {
    clearTimeout(timer);
    let wait = LIVE_MS;
    try {
      const page = await get(`/campaigns?offset=${PAGE * (pageNumber - 1)}&limit=${PAGE}`, { signal: left.signal });
      if (left.signal.aborted) return;
      show(page);
      if (!page.campaigns.some((campaign) => MOVING.has(campaign.progress.status))) wait = QUIET_MS;
    } catch (error) {
      if (left.signal.aborted) return;
      if (!shown) fill(body, h("p", { class: "problem", role: "alert" }, error.message));
    }
    timer = setTimeout(() => (document.hidden ? null : look()), wait);
  }

  function show(page) {
    write(total, page.total ? count(page.total, "campaign") : "");
    const order = JSON.stringify([page.total, ...page.campaigns.map((campaign) => campaign.id)]);
    if (order !== shown) {
      const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      rows.clear();
      fill(
        body,
        page.campaigns.length || page.total ? [table(page.campaigns, rows), pager(page, pageNumber)] : welcome(),
      );
      if (focused) [...body.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
      shown = order;
    }
    for (const campaign of page.campaigns) rows.get(campaign.id).update(campaign);
  }

  const refresh = () => document.hidden || look();
  connection.addEventListener("back", refresh, { signal: left.signal });
  document.addEventListener("visibilitychange", refresh, { signal: left.signal });
  look();
  const leave = () => {
    left.abort();
    clearTimeout(timer);
  };
  return { node, leave };
}

function table(campaigns, rows) {
  for (const campaign of campaigns) rows.set(campaign.id, row(campaign));
  const head = ["Campaign", "Status", "Progress", ...FIGURES.map(([label]) => label)];
  return h(
    "table",
    { class: "campaigns", role: "table" },
    h("caption", { class: "unseen" }, "Campaigns, the newest first"),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        head.map((label, at) =>
          h("th", { scope: "col", role: "columnheader", class: at > 2 ? "figure" : null }, label),
        ),
      ),
    ),
    h(
      "tbody",
      { role: "rowgroup" },
      [...rows.values()].map((made) => made.node),
    ),
  );
}

function row(campaign) {
  const badge = statusBadge(campaign.status);
  const bar = progressBar();
  const share = h("span", { class: "share" });
  const subject = h("span", { class: "subject" });
  const reason = h("span", { class: "reason-line" });
  const figures = FIGURES.map(([label, text, alarming]) => ({
    label,
    text,
    alarming,
    node: h("td", { role: "cell", class: "figure", "data-label": label }),
  }));
  const node = h(
    "tr",
    { role: "row" },
    h(
      "th",
      { scope: "row", role: "rowheader", class: "name" },
      h("a", { href: `#${path(campaign.id)}` }, campaign.id),
      subject,
      reason,
    ),
    h("td", { role: "cell", class: "state" }, badge.node),
    h("td", { role: "cell", class: "progress" }, bar.node, share),
    figures.map((figure) => figure.node),
  );
  const update = (now) => {
    const status = now.progress;
    badge.update(status.status);
    bar.update(status);
    write(share, progressText(status));
    write(subject, now.subject);
    write(reason, status.status === "ready" ? "" : (status.reason ?? ""));
    node.classList.toggle("empty", !status.has_list);
    for (const figure of figures) {
      write(figure.node, !status.has_list && figure.label !== "Per minute" ? "–" : figure.text(status));
      figure.node.classList.toggle("alarming", Boolean(figure.alarming?.(status)));
    }
  };
  return { node, update };
}

function progressText(status) {
  if (status.status === "draft") return "No list yet";
  if (status.status === "parsing")
    return status.parsed?.size
      ? `Reading the list: ${percent(status.parsed.bytes, status.parsed.size)}`
      : "Reading the list";
  if (!status.total) return "No recipients";
  return percent(settled(status), status.total);
}

function pager(page, pageNumber) {
  const last = Math.max(1, Math.ceil(page.total / PAGE));
  if (last === 1 && pageNumber === 1) return null;
  const link = (to, text, label) =>
    to < 1 || to > last
      ? h("span", { class: "button off", "aria-hidden": "true" }, text)
      : h("a", { class: "button", href: `#/page/${to}`, "aria-label": label }, text);
  const first = page.offset + 1;
  const words = page.campaigns.length
    ? `${number(first)} to ${number(page.offset + page.campaigns.length)} of ${number(page.total)}`
    : "Nothing on this page";
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    link(pageNumber - 1, "Newer", "Newer campaigns"),
    h("span", { class: "quiet" }, words),
    link(pageNumber + 1, "Older", "Older campaigns"),
  );
}

function welcome() {
  return h(
    "div",
    { class: "panel welcome" },
    h("h2", {}, "No campaigns yet"),
    h("p", {}, "A campaign sends one email to each recipient of a list."),
    h(
      "ol",
      {},
      h("li", {}, "Write the subject and the text. {{ name }} stands for the list's column “name”."),
      h("li", {}, "Upload the list: a CSV file with a column of email addresses."),
      h("li", {}, "Start the campaign and watch it. You can pause it or change its rate at any time."),
    ),
    h("p", {}, h("a", { class: "button primary", href: "#/new" }, "New campaign")),
  );
}
