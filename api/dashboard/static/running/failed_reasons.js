// The failed rows by reason, with whether a retry can help. Reads the first of them from the export.

import { fill, h } from "../dom.js";
import { count, number } from "../format.js";
import { recipientRows } from "../recipient_rows.js";

/** How many reasons are shown. */
const SHOWN = 10;
/** Reasons of the campaign itself: a template that cannot be rendered for the row. */
const OWN = /^(subject|html|text|headers?[\w.-]*)(, line \d+)?:|^the (templates|message|subject|address)\b/i;
/** Reasons that pass with time. */
const PASSING = /all attempts failed|timed? ?out|try again|temporar|unavailable|too many|rate|\b(4[25]1|429|5\d\d)\b/i;

/**
 * Whether a retry of rows with this reason can help, in words.
 *
 * @param {string} reason
 */
function retryAdvice(reason) {
  if (OWN.test(reason))
    return "A retry fails again: the content does not fit these rows. Duplicate the campaign, mend the content, and exclude this campaign.";
  if (PASSING.test(reason)) return "A retry can help.";
  return "A retry rarely helps: the provider refuses this email or address.";
}

/** The table; `look` reads the export again. */
export function failedReasons(campaignId) {
  const node = h("div", { class: "stack" });
  let reading = null;

  async function look(failed) {
    reading?.abort();
    reading = new AbortController();
    const { signal } = reading;
    try {
      const { groups, rows } = await readFailedReasons(campaignId, signal);
      if (!signal.aborted) fill(node, table(groups, rows, failed));
    } catch (error) {
      if (!signal.aborted) fill(node, h("p", { class: "problem" }, error.message));
    }
  }
  return { node, look, leave: () => reading?.abort() };
}

/**
 * The failed rows by reason, the most frequent first, as far as they are read.
 *
 * @param {string} campaignId
 * @param {AbortSignal} signal
 */
export async function readFailedReasons(campaignId, signal) {
  const groups = new Map();
  let rows = 0;
  for await (const { row, reason } of recipientRows(campaignId, "failed", signal)) {
    rows += 1;
    const words = reason || "no reason given";
    const group = groups.get(words) ?? { reason: words, count: 0, examples: [] };
    group.count += 1;
    if (group.examples.length < 3) group.examples.push(row);
    groups.set(words, group);
  }
  return { groups: [...groups.values()].sort((a, b) => b.count - a.count), rows };
}

function table(groups, rows, failed) {
  if (!rows) return null;
  const rest = groups.slice(SHOWN);
  return [
    rows < failed && h("p", { class: "quiet" }, `By the first ${count(rows, "row")}:`),
    h("ul", { class: "reasons" }, groups.slice(0, SHOWN).map(line)),
    rest.length > 0 && h("p", { class: "quiet" }, `and ${count(rest.length, "more reason")}; the CSV has all of them.`),
  ];
}

function line({ reason, count: rows, examples }) {
  return h(
    "li",
    {},
    h("strong", {}, number(rows)),
    h(
      "div",
      {},
      h("p", { class: "reason-text" }, reason),
      h(
        "p",
        { class: "hint" },
        `${retryAdvice(reason)} For example ${examples.length === 1 ? "row" : "rows"} ${examples.join(", ")}.`,
      ),
    ),
  );
}
