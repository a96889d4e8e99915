// One campaign: its live status, and what can be done with it, before the start and after it.

import { get, path } from "./client.js";
import { campaignHeader } from "./campaign_header.js";
import { back } from "./connection.js";
import { campaignActions, controlsRow } from "./controls.js";
import { announce, fill, h } from "./dom.js";
import { follow } from "./events.js";
import { settled } from "./figures.js";
import { percent } from "./format.js";
import { contentFieldNames } from "./making/content_schema.js";
import { makingView } from "./making/making_view.js";
import { noticeBox } from "./notice_box.js";
import { performer } from "./performer.js";
import { runningView } from "./running_view.js";

/** How long to wait before a page that could not be loaded is requested again, in ms. */
const RETRY_MS = 2_000;

/**
 * The page; `leave` ends its event stream, `go` shows another step of the same campaign.
 *
 * @param {string} campaignId
 * @param {string} [step] content, list, check or send
 */
export function campaignPage(campaignId, step) {
  const node = h(
    "div",
    {},
    h("h1", { tabindex: "-1", class: "id" }, campaignId),
    h("p", { class: "quiet" }, "Loading…"),
  );
  const left = new AbortController();
  const leaving = [() => left.abort()];
  const fail = (error) => left.signal.aborted || fill(node, gone(campaignId, error));
  const leave = () => leaving.forEach((end) => end());
  let wanted = step ?? null;
  let view = null;

  async function begin() {
    const [names, campaign, status] = await Promise.all([
      contentFieldNames(),
      get(path(campaignId), { signal: left.signal }),
      get(path(campaignId, "status"), { signal: left.signal }),
    ]);
    view = campaignView(campaignId, campaign, names, left.signal);
    leaving.push(view.leave);
    const focused = node.contains(document.activeElement);
    fill(node, view.nodes);
    if (focused) node.querySelector("h1").focus({ preventScroll: true });
    view.go(wanted);
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
  const go = (name) => {
    wanted = name ?? null;
    view?.go(wanted);
  };
  return { node, leave, go };
}

function gone(campaignId, error) {
  const title = error.status === 404 ? "There is no such campaign" : "This campaign cannot be shown";
  return [
    h("h1", { tabindex: "-1", class: "id" }, campaignId),
    h("div", { class: "callout danger", role: "alert" }, h("p", {}, h("strong", {}, `${title}.`), ` ${error.message}`)),
    h("p", {}, h("a", { href: "#/" }, "All campaigns")),
  ];
}

function campaignView(campaignId, first, names, signal) {
  let campaign = first;
  let latest = null;
  let view = null;
  let step = null;
  const notice = noticeBox();
  const refresh = async () => {
    if (signal.aborted) return;
    const found = await Promise.all([get(path(campaignId), { signal }), get(path(campaignId, "status"), { signal })]);
    [campaign] = found;
    update(found[1]);
  };
  const perform = performer(notice, refresh);
  const head = campaignHeader(campaignId);
  const steps = controlsRow(campaignId, perform);
  const remove = campaignActions(campaignId, perform);
  const body = h("div", {});

  function update(status) {
    if (signal.aborted) return;
    const changed = (latest ?? campaign).status !== status.status;
    latest = status;
    notice.good();
    show(status);
    if (!changed) return;
    announce(`${campaignId} is ${status.status}`);
    refresh().catch(() => undefined); // other fields of the campaign may have changed; the next change tries again
  }

  function show(status) {
    document.title = `${titleMark(status)}${campaignId} - Postrider`;
    choose(status);
    head.update(status, campaign);
    steps.update(status, campaign);
    view.update(status, campaign);
    remove.update(status);
  }

  /** Before the start the steps, after it the progress; a campaign never goes back. */
  function choose(status) {
    const make = status.changeable ? makingView : runningView;
    if (view?.make === make) return;
    view?.leave();
    const page = { perform, refresh, steps: steps.node };
    view = {
      make,
      ...(status.changeable ? makingView(campaignId, campaign, names, page) : runningView(campaignId, page)),
    };
    view.go(step);
    fill(body, view.node);
  }

  const go = (name) => {
    step = name;
    view?.go(name);
  };
  const nodes = [head.node, head.reason, notice.node, body, remove.node];
  return { nodes, update, go, leave: () => view?.leave() };
}

function titleMark(status) {
  if (status.status === "running" || status.status === "paused")
    return `${percent(settled(status), status.total)} ${status.status}: `;
  return `${status.status}: `;
}
