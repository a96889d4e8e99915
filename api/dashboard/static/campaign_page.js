// One campaign: its live status, and everything that an operator can do with it.

import { get, path } from "./client.js";
import { back } from "./connection.js";
import { blocker, controlsRow, deletePanel } from "./controls.js";
import { booksPanel, decisionPanels } from "./decisions.js";
import { announce, fill, h, write } from "./dom.js";
import { downloadsPanel } from "./downloads.js";
import { follow } from "./events.js";
import { KINDS, progressBar, settled, shares, statusBadge } from "./figures.js";
import { count, duration, number, percent, time } from "./format.js";
import { listPanel } from "./list_panel.js";
import { messagePanel } from "./message_panel.js";
import { performer } from "./performer.js";
import { throughputPanel } from "./throughput.js";

/** How long to wait before a page that could not be loaded is requested again, in ms. */
const RETRY_MS = 2_000;
/** How long the result of a step is shown, in ms; an error is shown until the next step. */
const SAID_MS = 12_000;
/** How the reason of a campaign's state is shown: the states that count as grave, and the words before the reason. */
const GRAVE = ["rejected", "paused"];
const REASONS = { paused: "Paused by the system: ", rejected: "The list cannot be used: " };

/** The page; `leave` ends its event stream. */
export function campaignPage(campaignId) {
  const node = h(
    "div",
    {},
    h("h1", { tabindex: "-1", class: "id" }, campaignId),
    h("p", { class: "quiet" }, "Loading…"),
  );
  const left = new AbortController();
  const leaving = [() => left.abort()];
  const fail = (error) => left.signal.aborted || fill(node, gone(campaignId, error));
  const leave = () => leaving.forEach((step) => step());

  async function begin() {
    const [campaign, status] = await Promise.all(
      ["", "status"].map((part) => get(part ? path(campaignId, part) : path(campaignId), { signal: left.signal })),
    );
    const view = campaignView(campaignId, campaign, left.signal);
    leaving.push(view.leave);
    const focused = node.contains(document.activeElement);
    fill(node, view.nodes);
    if (focused) node.querySelector("h1").focus({ preventScroll: true });
    view.update(status);
    leaving.push(follow(path(campaignId, "events"), { onObject: view.update, onProblem: fail }));
  }

  const load = () =>
    begin().catch(async (error) => {
      fail(error);
      if (left.signal.aborted || error.status < 500) return; // the server would refuse it again
      await Promise.all([back(), new Promise((resolve) => setTimeout(resolve, RETRY_MS))]);
      load();
    });
  load();
  return { node, leave };
}

function gone(campaignId, error) {
  const title = error.status === 404 ? "There is no such campaign" : "This campaign cannot be shown";
  return [
    h("h1", { tabindex: "-1", class: "id" }, campaignId),
    h("div", { class: "callout danger", role: "alert" }, h("p", {}, h("strong", {}, `${title}.`), ` ${error.message}`)),
    h("p", {}, h("a", { href: "#/" }, "All campaigns")),
  ];
}

function campaignView(campaignId, first, signal) {
  let campaign = first;
  let latest = null;
  const notice = noticeBox();
  const refresh = async () => {
    if (signal.aborted) return;
    const found = await Promise.all([get(path(campaignId), { signal }), get(path(campaignId, "status"), { signal })]);
    [campaign] = found;
    update(found[1]);
  };
  const perform = performer(notice, refresh);
  const head = header(campaignId);
  const steps = controlsRow(campaignId, perform);
  const progress = progressPanel();
  const rate = throughputPanel(campaignId, perform);
  const decisions = decisionPanels(campaignId, perform);
  const list = listPanel(campaignId, perform);
  const message = messagePanel(campaignId, perform);
  const panels = [
    downloadsPanel(campaignId, perform),
    booksPanel(campaignId, perform),
    deletePanel(campaignId, perform),
  ];
  list.onchange(() => refresh().catch(notice.fail));

  function update(status) {
    if (signal.aborted) return;
    const changed = (latest ?? campaign).status !== status.status;
    latest = status;
    show(status);
    if (!changed) return;
    announce(`${campaignId} is ${status.status}`);
    refresh().catch(() => undefined); // other fields of the campaign may have changed; the next change tries again
  }

  function show(status) {
    // The panel that is needed next comes first: the list before the start, the rate after it.
    const first = status.changeable ? content : live;
    if (columns.firstChild !== first) columns.prepend(first);
    document.title = `${titleMark(status)}${campaignId} - Postrider`;
    head.update(status, campaign);
    steps.update(status, campaign);
    progress.update(status);
    rate.update(status);
    rate.draw();
    decisions.update(status);
    list.update(status, campaign);
    message.update(status, campaign);
    for (const panel of panels) panel.update(status);
  }

  const live = h("div", { class: "column" }, rate.node, decisions.nodes, panels[0].node);
  const content = h("div", { class: "column" }, list.node, message.node, panels[1].node, panels[2].node);
  const columns = h("div", { class: "columns" }, live, content);
  const nodes = [head.node, head.reason, steps.node, notice.node, progress.node, columns];
  const leave = () => {
    rate.leave();
    list.leave();
  };
  return { nodes, update, leave };
}

function titleMark(status) {
  if (status.status === "running" || status.status === "paused")
    return `${percent(settled(status), status.total)} ${status.status}: `;
  return `${status.status}: `;
}

/** The result of the last step, or why it failed. */
function noticeBox() {
  const node = h("div", { class: "notice", role: "status", "aria-live": "polite" });
  let timer = null;
  const show = (...children) => {
    clearTimeout(timer);
    fill(node, children);
  };
  const say = (text) => {
    show(text && h("div", { class: "callout" }, h("p", {}, text)));
    timer = setTimeout(show, SAID_MS);
  };
  const fail = (error) => show(h("div", { class: "callout danger", role: "alert" }, h("p", {}, error.message)));
  return { node, say, fail };
}

function header(campaignId) {
  const badge = statusBadge("draft");
  const [subject, from] = [h("span", {}), h("span", { class: "quiet" })];
  const times = h("p", { class: "quiet times" });
  const reason = h("div", { class: "callout reason", hidden: true });
  const node = h(
    "div",
    { class: "campaign-head" },
    h("p", {}, h("a", { class: "back", href: "#/" }, "All campaigns")),
    h("div", { class: "heading" }, h("h1", { class: "id", tabindex: "-1" }, campaignId), badge.node),
    h("p", { class: "subject" }, subject, " ", from),
    times,
  );
  const update = (status, campaign) => {
    badge.update(status.status);
    write(subject, campaign.subject);
    write(from, `from ${campaign.from}`);
    const now = [
      ["Created", campaign.created_at],
      ["started", status.started_at],
      [status.status === "cancelled" ? "cancelled" : "finished", status.finished_at],
    ];
    const text = now
      .filter(([, at]) => at)
      .map(([label, at]) => `${label} ${time(at)}`)
      .join(", ");
    write(times, `${text}${took(status)}`);
    const why = reasonText(status, campaign);
    reason.hidden = !why;
    if (!why) return;
    reason.classList.toggle("danger", GRAVE.includes(status.status));
    reason.classList.toggle("warning", !GRAVE.includes(status.status));
    if (reason.textContent !== why.join("")) fill(reason, h("p", {}, h("strong", {}, why[0]), why[1]));
  };
  return { node, reason, update };
}

function took(status) {
  if (!status.started_at || !status.finished_at) return "";
  return `, took ${duration((Date.parse(status.finished_at) - Date.parse(status.started_at)) / 1000)}`;
}

/** The callout at the top, as its topic and the reason, or null. */
function reasonText(status, campaign) {
  const blocked = blocker(status, campaign);
  if (blocked) return ["This campaign cannot start yet: ", blocked];
  if (status.reason && status.status !== "ready") return [REASONS[status.status] ?? "Note: ", status.reason];
  if (status.status === "parsing" && campaign.start_when_ready)
    return ["Starts automatically: ", "sending begins as soon as the list is read."];
  return null;
}

function progressPanel() {
  const big = h("p", { class: "big" });
  const detail = h("p", { class: "quiet" });
  const bar = progressBar();
  const tiles = KINDS.map(({ name, label, meaning }) => {
    const [value, part] = [h("dd", { class: "value" }), h("dd", { class: "part" })];
    return {
      name,
      value,
      part,
      node: h(
        "div",
        { class: `tile ${name}`, title: meaning },
        h("dt", {}, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }), label),
        value,
        part,
      ),
    };
  });
  const node = h(
    "section",
    { class: "panel", "aria-label": "Progress" },
    h("div", { class: "progress-head" }, big, detail),
    bar.node,
    h(
      "dl",
      { class: "tiles" },
      tiles.map((tile) => tile.node),
    ),
  );
  const update = (status) => {
    node.hidden = !status.has_list;
    const parts = shares(status);
    write(big, percent(settled(status), status.total));
    const rejected = status.rejected ? `; ${count(status.rejected, "row")} of the list rejected` : "";
    write(detail, `${number(settled(status))} of ${count(status.total, "recipient")}${rejected}`);
    bar.update(status);
    for (const tile of tiles) {
      write(tile.value, number(parts[tile.name]));
      write(tile.part, percent(parts[tile.name], status.total));
    }
  };
  return { node, update };
}
