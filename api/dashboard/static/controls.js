// The steps that an operator can take. The page shows only those that the campaign's state allows.

import { path, post, send } from "./client.js";
import { h, write } from "./dom.js";
import { askCopyId } from "./copy_dialog.js";
import { confirmStep } from "./dialogs.js";
import { shares } from "./figures.js";
import { count } from "./format.js";
import { reviewStart } from "./starting/review_sheet.js";

const OVER = ["completed", "cancelled", "rejected"];

/** What a start has done, by the state after it. */
const STARTED = {
  parsing: "The campaign starts as soon as the list is read.",
  scheduled: "Scheduled. It starts by itself; until then you can change it.",
};

const STEPS = [
  {
    name: "start",
    shown: (status, { blocked, starts }) =>
      (status.status === "ready" && !blocked) || (status.status === "parsing" && !starts),
    label: () => "Review and start…",
    said: (answer) => STARTED[answer.status] ?? "Started.",
    primary: true,
  },
  {
    name: "pause",
    shown: (status) => status.status === "running" || status.status === "scheduled",
    label: () => "Pause",
    said: (answer) => `Paused. ${onTheWay(answer.in_flight)}`,
    failed: notPaused,
    primary: true,
  },
  {
    name: "resume",
    shown: (status) => status.status === "paused",
    label: () => "Resume",
    said: (answer) => (answer.status === "scheduled" ? "Scheduled again." : "Resumed."),
    accept: acceptBrake,
    primary: true,
  },
  {
    name: "cancel",
    shown: (status) => !OVER.includes(status.status) && status.status !== "draft",
    label: () => "Cancel…",
    said: (answer) => `Cancelled for good. ${onTheWay(answer.in_flight)}`,
    ask: (status, id) => ({
      title: `Cancel ${id} for good?`,
      consequences: [
        status.status === "parsing"
          ? "Reading the list stops."
          : `${count(shares(status).pending, "recipient")} will not get the email.`,
        ...(status.in_flight
          ? [`${count(status.in_flight, "email is", "emails are")} already on the way and cannot be stopped.`]
          : []),
        "You can never start or resume it again. To stop for a while, pause it instead.",
        "Its figures and the reasons of failed rows stay available here.",
      ],
      yes: "Cancel campaign",
      no: "Keep campaign",
    }),
  },
];

/** The body with which a person resumes in spite of the brake; null: the person does not, or something else is wrong. */
async function acceptBrake(error, id, reason) {
  if (!error.body?.type?.endsWith("#brake-holds")) throw error;
  const accepted = await confirmStep({
    title: `Resume ${id} in spite of its bounces or complaints?`,
    consequences: [
      reason ?? error.message,
      "Such figures harm the sender's reputation. Look into the list and the content first.",
      "From now on the brake counts only what is sent after this.",
    ],
    yes: "Resume anyway",
    no: "Stay paused",
  });
  return accepted ? { accept_brake: true } : null;
}

/** A pause that did not happen must not be taken for one. The next good status replaces the message. */
function notPaused(error) {
  if (error.status && error.status < 500) return error;
  return Object.assign(new Error(`Pause did not happen; still sending. ${error.message}`), { until: "status" });
}

function onTheWay(inFlight) {
  return `${inFlight ? count(inFlight, "email is", "emails are") : "No email is"} on the way; no other will be sent.`;
}

/** Why a parsed campaign cannot start, or null if it can. */
export function blocker(status, campaign) {
  if (status.status !== "ready") return null;
  if (!status.total) return "the list has no recipients. Replace the list.";
  const missing = campaign.missing_columns.map((name) => `{{\u00a0${name}\u00a0}}`);
  if (!missing.length) return null;
  const columns = `${missing.length === 1 ? "a column" : "columns"} that the list lacks: ${missing.join(", ")}`;
  return `the templates use ${columns}. Edit the message, or replace the list.`;
}

/** The row of buttons. */
export function controlsRow(campaignId, perform) {
  let latest = null;
  const buttons = STEPS.map((step) => {
    const node = h(
      "button",
      {
        class: step.primary ? "button primary" : "button",
        type: "button",
        "data-step": true,
        onclick: () => take(step),
      },
      step.label({ status: "", total: 0 }),
    );
    return { step, node };
  });
  const row = h(
    "div",
    { class: "actions steps", role: "group", "aria-label": "Steps" },
    buttons.map((button) => button.node),
  );

  async function take(step) {
    if (step.ask && !(await confirmStep(step.ask(latest, campaignId)))) return;
    perform(async () => {
      const body = step.name === "start" ? await reviewStart(campaignId) : {};
      if (!body) return "";
      try {
        return step.said(await post(path(campaignId, step.name), body));
      } catch (error) {
        if (!step.accept) throw step.failed?.(error) ?? error;
        const accepted = await step.accept(error, campaignId, latest.reason);
        return accepted ? step.said(await post(path(campaignId, step.name), accepted)) : "";
      }
    });
  }

  function update(status, campaign) {
    latest = status;
    const shown = { blocked: blocker(status, campaign), starts: campaign.start_when_ready };
    const focused = buttons.find((button) => button.node === document.activeElement);
    for (const { step, node: button } of buttons) {
      button.hidden = !step.shown(status, shown);
      write(button, step.label(status));
    }
    row.hidden = buttons.every((button) => button.node.hidden);
    // If the focused button disappears, the focus moves to the next step.
    if (focused?.node.hidden) buttons.find((button) => !button.node.hidden)?.node.focus();
  }
  return { node: row, update };
}

/** The row with what concerns the campaign as a whole: duplicate and delete. */
export function campaignActions(campaignId, perform) {
  let latest = null;
  const copy = h(
    "button",
    { class: "button small", type: "button", "data-step": true, onclick: duplicate },
    "Duplicate…",
  );
  const erase = h(
    "button",
    { class: "button small danger-quiet", type: "button", "data-step": true, onclick: remove },
    "Delete campaign…",
  );
  const node = h(
    "div",
    { class: "actions campaign-actions", role: "group", "aria-label": "This campaign" },
    copy,
    erase,
  );

  async function duplicate() {
    const id = await askCopyId(campaignId);
    if (!id) return;
    perform(async () => {
      await post(path(campaignId, "copy"), { id });
      location.hash = `#${path(id, "content")}`;
      return null;
    });
  }

  async function remove() {
    const open = latest.pending && latest.started_at && latest.status !== "cancelled";
    const sure = await confirmStep({
      title: `Delete ${campaignId}?`,
      consequences: [
        ...(open ? [`${count(latest.pending, "recipient")} will not get the email.`] : []),
        "Its list, its figures and the reasons of failed rows are deleted. This cannot be undone.",
        "Emails that have been sent stay sent, and no record remains of who got them.",
      ],
      yes: "Delete campaign",
      no: "Keep campaign",
    });
    if (!sure) return;
    perform(async () => {
      await send("DELETE", path(campaignId));
      location.hash = "#/";
      return null;
    });
  }

  const update = (status) => {
    latest = status;
    erase.hidden = status.status === "running" || status.in_flight > 0;
  };
  return { node, update };
}
