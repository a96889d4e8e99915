// The list of campaigns: one page of it, refreshed while it is shown.

import { connection } from "./connection.js";
import { get, path } from "./client.js";
import { fill, freshId, h, write } from "./dom.js";
import { progressBar, settled, statusBadge } from "./figures.js";
import { count, number, percent, words } from "./format.js";

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

/** The states that can be chosen, and the orders. */
const STATES = ["draft", "parsing", "ready", "scheduled", "running", "paused", "completed", "cancelled", "rejected"];
const ORDERS = [
  ["newest", "Newest first"],
  ["oldest", "Oldest first"],
  ["name", "By id"],
];
/** How long the typing must rest before the search follows, in ms. */
const REST_MS = 250;

/**
 * The page; `leave` ends its requests.
 *
 * @param {URLSearchParams} question `page`, `search`, `status` and `sort`; an empty one shows the newest
 */
export function campaignsPage(question) {
  let pageNumber = Number(question.get("page") ?? 1) || 1;
  const filters = filterForm(question, () => {
    if (left.signal.aborted) return; // typed just before the user went to another page
    pageNumber = 1;
    history.replaceState(null, "", filters.empty() ? "#/" : `#/?${new URLSearchParams(filters.value())}`);
    look();
  });
  const body = h("div", {}, h("p", { class: "quiet" }, "Loading…"));
  const total = h("span", { class: "quiet" });
  const node = h(
    "div",
    {},
    h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, "Campaigns"), total),
    filters.node,
    body,
  );
  const rows = new Map();
  const left = new AbortController();
  let timer = null;
  let shown = "";
  let asked = 0;

  async function look() {
    clearTimeout(timer);
    let wait = LIVE_MS;
    asked += 1;
    const mine = asked;
    try {
      const query = new URLSearchParams({ offset: PAGE * (pageNumber - 1), limit: PAGE, ...filters.value() });
      const page = await get(`/campaigns?${query}`, { signal: left.signal });
      if (left.signal.aborted || mine !== asked) return;
      show(page);
      const moves = page.campaigns.some((campaign) => MOVING.has(campaign.progress.status));
      if (!moves || !filters.empty()) wait = QUIET_MS; // a search reads every campaign
    } catch (error) {
      if (left.signal.aborted || mine !== asked) return;
      if (!shown) fill(body, h("p", { class: "problem", role: "alert" }, error.message));
    }
    timer = setTimeout(() => (document.hidden ? null : look()), wait);
  }

  function show(page) {
    write(total, page.total ? count(page.total, "campaign") : "");
    filters.node.hidden = filters.empty() && !page.total;
    const order = JSON.stringify([filters.value(), page.total, ...page.campaigns.map((campaign) => campaign.id)]);
    if (order !== shown) {
      const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      rows.clear();
      fill(
        body,
        page.campaigns.length || page.total
          ? [table(page.campaigns, rows), pager(page, pageNumber, filters.value())]
          : filters.empty()
            ? welcome()
            : h("p", { class: "panel" }, "No campaign matches. ", h("a", { href: "#/" }, "Show all campaigns")),
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
    h("caption", { class: "unseen" }, "Campaigns"),
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

/** The fields to search, to choose a state and an order. `changed` is called once the typing rests. */
function filterForm(question, changed) {
  const [wordId, stateId, orderId] = ["word", "state", "order"].map(freshId);
  let timer = null;
  const rest = () => {
    clearTimeout(timer);
    timer = setTimeout(changed, REST_MS);
  };
  const atOnce = () => {
    clearTimeout(timer);
    changed();
  };
  const word = h("input", {
    id: wordId,
    type: "search",
    maxlength: 100,
    placeholder: "Id or subject",
    value: question.get("search") ?? "",
    oninput: rest,
  });
  const state = chooser(
    stateId,
    [["", "Any state"], ...STATES.map((name) => [name, words(name)])],
    question.get("status"),
    atOnce,
  );
  const order = chooser(orderId, ORDERS, question.get("sort"), atOnce);
  const node = h(
    "form",
    { class: "filters", role: "search", hidden: true, onsubmit: (event) => event.preventDefault() },
    [
      [wordId, "Search", word],
      [stateId, "State", state],
      [orderId, "Order", order],
    ].map(([id, label, input]) => h("div", { class: "field" }, h("label", { for: id }, label), input)),
  );
  const value = () => {
    const chosen = {
      search: word.value.trim(),
      status: state.value,
      sort: order.value === ORDERS[0][0] ? "" : order.value,
    };
    return Object.fromEntries(Object.entries(chosen).filter(([, text]) => text));
  };
  return { node, value, empty: () => !Object.keys(value()).length };
}

function chooser(id, options, chosen, changed) {
  const input = h(
    "select",
    { id, onchange: changed },
    options.map(([value, text]) => h("option", { value }, text)),
  );
  input.value = chosen ?? options[0][0];
  if (input.selectedIndex < 0) input.selectedIndex = 0;
  return input;
}

function pager(page, pageNumber, question) {
  const last = Math.max(1, Math.ceil(page.total / PAGE));
  if (last === 1 && pageNumber === 1) return null;
  const link = (to, text, label) =>
    to < 1 || to > last
      ? h("span", { class: "button off", "aria-hidden": "true" }, text)
      : h(
          "a",
          { class: "button", href: `#/?${new URLSearchParams({ ...question, page: to })}`, "aria-label": label },
          text,
        );
  const first = page.offset + 1;
  const words = page.campaigns.length
    ? `${number(first)} to ${number(page.offset + page.campaigns.length)} of ${number(page.total)}`
    : "Nothing on this page";
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages of campaigns" },
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
