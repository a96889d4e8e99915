// What a person decides: failed rows, rows with an unknown outcome, and when to reconcile.

import { Problem, get, path, post } from "./client.js";
import { confirmStep } from "./dialogs.js";
import { fill, h, write } from "./dom.js";
import { recipientsButton } from "./downloads.js";
import { count, number, time, words } from "./format.js";
import { failedReasons } from "./running/failed_reasons.js";

const UNKNOWN = [
  ["resend", "Send again", "Recipients who did get the email get it twice."],
  ["failed", "Count as failed", "No email is sent now; you can retry failed rows later."],
  ["done", "Count as done", "Recipients who did not get the email will never get it."],
];
const QUEUED = "A worker does this now; the figures change in a moment.";
const REPAIRS = {
  dead_claims: "rows claimed by a worker that died",
  lost: "rows missing from the queue",
  dead_letters: "rows given up without a record",
  drifted_counters: "counters that were wrong",
  resent: "unknown rows sent again",
};
/** How long to wait for a worker's report, and between two requests for it, in ms. */
const REPORT_PATIENCE_MS = 60_000;
const REPORT_EVERY_MS = 500;
/** The least time between two looks at the reasons of failed rows, in ms. */
const LOOK_EVERY_MS = 3_000;

/** The panels of failed and of unknown rows; each is shown while there are such rows. */
export function decisionPanels(campaignId, perform) {
  const decide = (wanted) =>
    perform(async () => {
      await post(path(campaignId, "reconcile"), wanted);
      return QUEUED;
    });
  const panels = [failedPanel(campaignId, perform, decide), unknownPanel(campaignId, perform, decide)];
  return {
    nodes: panels.map((panel) => panel.node),
    update: (status) => panels.forEach((panel) => panel.update(status)),
    leave: () => panels.forEach((panel) => panel.leave?.()),
  };
}

function failedPanel(campaignId, perform, decide) {
  const title = h("h2", { id: "failed-title" });
  const retry = h("button", {
    class: "button",
    type: "button",
    "data-step": true,
    onclick: () => decide({ retry_failed: true }),
  });
  const reasons = failedReasons(campaignId);
  let [looked, next] = [null, 0];
  const node = h(
    "section",
    { class: "panel attention failed", "aria-labelledby": "failed-title" },
    title,
    reasons.node,
    h("div", { class: "actions" }, retry, recipientsButton(campaignId, "failed", "Failed rows as CSV", perform)),
  );
  const update = (status) => {
    node.hidden = !status.failed;
    retry.hidden = !["running", "paused", "completed"].includes(status.status);
    write(title, `${number(status.failed)} failed`);
    write(retry, `Retry ${number(status.failed)} failed`);
    look(status);
  };

  /** Read the reasons again once their number has changed, but not at every email. */
  function look({ failed }) {
    if (!failed || failed === looked || Date.now() < next) return;
    looked = failed;
    next = Date.now() + LOOK_EVERY_MS;
    reasons.look(failed);
  }
  return { node, update, leave: reasons.leave };
}

function unknownPanel(campaignId, perform, decide) {
  let unknown = 0;
  const title = h("h2", { id: "unknown-title" });
  const choices = UNKNOWN.map(([decision, label, meaning]) => ({
    decision,
    node: h(
      "li",
      {},
      h("button", { class: "button", type: "button", "data-step": true, onclick: () => choose(decision) }, label),
      h("span", {}, meaning),
    ),
  }));
  const node = h(
    "section",
    { class: "panel attention unknown", "aria-labelledby": "unknown-title" },
    title,
    h(
      "p",
      {},
      "The provider did not answer the request to send these rows: the emails may or may not have been sent. ",
      "They stay as they are until someone decides, for all of them at once.",
    ),
    h(
      "ul",
      { class: "choices" },
      choices.map((choice) => choice.node),
    ),
    h("div", { class: "actions" }, recipientsButton(campaignId, "unknown", "Unknown rows as CSV", perform)),
  );

  async function choose(decision) {
    const sure =
      decision !== "resend" ||
      (await confirmStep({
        title: `Send ${count(unknown, "email")} again?`,
        consequences: ["Recipients who already got the email get it twice.", "This cannot be undone."],
        yes: "Send again",
      }));
    if (sure) decide({ unknown: decision });
  }

  const update = (status) => {
    unknown = status.unknown;
    node.hidden = !unknown || !["running", "paused", "completed", "cancelled"].includes(status.status);
    write(title, `${number(unknown)} unknown`);
    choices[0].node.hidden = status.status === "cancelled";
  };
  return { node, update };
}

/** The panel of the last reconciliation. It loads the report when it is opened. */
export function booksPanel(campaignId, perform) {
  const report = h("div", {});
  const check = h(
    "button",
    { class: "button small", type: "button", "data-step": true, onclick: () => perform(reconcile) },
    "Reconcile now",
  );
  const open = h(
    "details",
    {
      class: "panel",
      ontoggle: () => open.open && look().catch((error) => fill(report, h("p", { class: "problem" }, error.message))),
    },
    h("summary", {}, h("h2", {}, "Reconciliation")),
    h(
      "p",
      { class: "quiet" },
      "Compares the record of every row with the queue and the counters, and repairs differences. ",
      "Running campaigns are reconciled automatically, by default every minute.",
    ),
    report,
    h("div", { class: "actions" }, check),
  );

  async function look() {
    const found = await last(campaignId);
    fill(report, found ? table(found) : h("p", {}, "Not reconciled yet."));
    return found;
  }

  async function reconcile() {
    const before = await last(campaignId);
    await post(path(campaignId, "reconcile"));
    check.disabled = true;
    awaited(before?.finished_at)
      .catch((error) => fill(report, h("p", { class: "problem" }, error.message)))
      .finally(() => {
        check.disabled = false;
      });
    return "A worker reconciles now; its report appears below.";
  }

  async function awaited(before) {
    for (const until = Date.now() + REPORT_PATIENCE_MS; Date.now() < until && open.isConnected;) {
      await new Promise((resolve) => setTimeout(resolve, REPORT_EVERY_MS));
      const found = await look();
      if (found && found.finished_at !== before) return;
    }
  }

  const update = (status) => {
    open.hidden = !status.started_at;
  };
  return { node: open, update };
}

async function last(campaignId) {
  try {
    return await get(path(campaignId, "reconcile"));
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

function table(report) {
  const kinds = [...new Set([...Object.keys(report.found), ...Object.keys(report.repaired)])];
  return [
    h(
      "p",
      {},
      h("time", { datetime: report.finished_at }, time(report.finished_at)),
      `: ${count(report.checked, "open row")} checked, `,
      kinds.length ? "with these findings:" : "nothing to repair.",
    ),
    kinds.length > 0 &&
      h(
        "table",
        { class: "plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["What", "Found", "Repaired"].map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h(
          "tbody",
          {},
          kinds.map((kind) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, words(REPAIRS[kind] ?? kind)),
              h("td", {}, number(report.found[kind] ?? 0)),
              h("td", {}, number(report.repaired[kind] ?? 0)),
            ),
          ),
        ),
      ),
  ];
}
