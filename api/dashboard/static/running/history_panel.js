// The history of a campaign: who did what when, the newest first.

import { get, path } from "../client.js";
import { add, fill, h } from "../dom.js";
import { count, time } from "../format.js";
import { eventWords } from "./run_plot.js";

const PAGE = 25;

/** The panel. It loads the history when it is opened, and again when the campaign's state changes. */
export function historyPanel(campaignId) {
  const list = h("ol", { class: "marks" });
  const more = h(
    "button",
    { class: "button small", type: "button", hidden: true, onclick: () => load(next) },
    "Older entries",
  );
  const total = h("p", { class: "quiet" });
  const node = h(
    "details",
    { class: "panel", ontoggle: () => node.open && load(null) },
    h("summary", {}, h("h2", {}, "History")),
    total,
    list,
    h("div", { class: "actions" }, more),
  );
  let next = null;
  let before = null;

  async function load(address) {
    try {
      const page = await get(address ?? `${path(campaignId, "history")}?limit=${PAGE}`);
      if (!address) fill(list);
      add(list, page.history.map(historyLine));
      fill(total, page.total ? count(page.total, "entry", "entries") : "Nothing has happened yet.");
      next = page.next;
      more.hidden = !next;
    } catch (error) {
      fill(total, h("span", { class: "problem" }, error.message));
    }
  }
  const update = (status) => {
    if (node.open && before !== status.status) load(null);
    before = status.status;
  };
  return { node, update };
}

/** One entry as a list item. */
export function historyLine({ at, event, by, reason, details }) {
  const facts = Object.entries(details)
    .filter(([name]) => name !== "from" && name !== "to")
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
  const change = details.from !== undefined && details.to !== undefined ? [`${details.from} → ${details.to}`] : [];
  const text = [...change, ...facts].join(", ");
  return h(
    "li",
    {},
    h("time", { datetime: at, class: "quiet" }, time(at)),
    " ",
    h("strong", {}, eventWords(event)),
    ` by ${by}`,
    text && `: ${text}`,
    reason && h("span", { class: "reason-text" }, ` (${reason})`),
  );
}
