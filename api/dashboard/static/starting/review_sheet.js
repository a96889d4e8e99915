// The sheet before the start: who gets what, from whom, how fast and until when. Warnings are acknowledged here.

import { accountOf } from "../accounts.js";
import { get, path, post } from "../client.js";
import { destinationChip } from "../destination_chip.js";
import { showDialog } from "../dialogs.js";
import { fill, freshId, h } from "../dom.js";
import { clockIn, sendingTime } from "../estimate.js";
import { findingList } from "../findings.js";
import { count, duration, number } from "../format.js";
import { leftOut } from "../reasons.js";

/**
 * Show what the start would do; resolves to the body of the request, or to null if the answer is no.
 *
 * @param {string} campaignId
 * @returns {Promise<{accept_warnings?: true}|null>}
 */
export async function reviewStart(campaignId) {
  const [campaign, status] = await Promise.all([get(path(campaignId)), get(path(campaignId, "status"))]);
  const account = await accountOf(campaign).catch(() => undefined);
  const wanted = toAccept(campaign, status);
  const tick = acknowledgement(wanted);
  const answer = await showDialog({
    title: `Start ${campaignId}?`,
    wide: true,
    make: (close) => {
      const start = h("button", { class: "button primary", type: "button", onclick: begin }, startLabel(status));
      const no = h("button", { class: "button", type: "button", onclick: () => close("") }, "Not yet");
      function begin() {
        if (tick.missing()) tick.demand();
        else close("yes");
      }
      return {
        body: [
          lead(campaign, status, account),
          facts(campaignId, campaign, status, account),
          hints(campaign),
          tick.node,
        ],
        actions: [no, start],
        focus: no,
      };
    },
  });
  if (answer !== "yes") return null;
  return wanted.length ? { accept_warnings: true } : {};
}

function startLabel(status) {
  if (status.status === "parsing") return "Start once the list is read";
  return `Start sending to ${count(status.total, "recipient")}`;
}

/** What the start does, in one sentence. */
function lead(campaign, status, account) {
  const tpm = Math.min(status.rate_limit, account?.tpm ?? Infinity);
  const speed = `at ${number(tpm)} emails per minute`;
  if (status.status === "parsing")
    return h("p", { class: "lead" }, "Sending begins as soon as the list is read, ", h("strong", {}, speed), ".");
  const later = campaign.start_at && Date.parse(campaign.start_at);
  if (later && later > Date.now()) return scheduledLead(campaign, status, speed);
  const seconds = sendingTime(status.total, tpm, campaign.ramp);
  return h(
    "p",
    { class: "lead" },
    h("strong", {}, count(status.total, "person", "people")),
    status.total === 1 ? " gets this email, from " : " get this email, from ",
    h("strong", {}, campaign.from),
    `, ${speed}: `,
    h("strong", {}, `done by about ${clockIn(seconds)}`),
    seconds < 60 ? " (in less than a minute)." : ` (${duration(seconds)} from now).`,
  );
}

function scheduledLead(campaign, status, speed) {
  const zone = /(Z|[+-]\d\d:\d\d)$/.test(campaign.start_at) ? "" : ` in ${campaign.timezone}`;
  return h(
    "p",
    { class: "lead" },
    h("strong", {}, count(status.total, "person", "people")),
    " get this email, from ",
    h("strong", {}, campaign.from),
    ", beginning at ",
    h("strong", {}, `${campaign.start_at.replace("T", " ")}${zone}`),
    `, ${speed}.`,
  );
}

function facts(campaignId, campaign, status, account) {
  const subject = h("span", {}, campaign.subject);
  post(path(campaignId, "preview"))
    .then((email) => fill(subject, email.subject, h("span", { class: "quiet" }, ` (as ${email.to} gets it)`)))
    .catch(() => undefined); // the template itself stays: it is what there is to show
  const out = leftOut(status);
  const pairs = [
    ["Emails go to", account && destinationChip(account)],
    ["Subject", subject],
    ["Reply-To", campaign.reply_to],
    ["Left out", out.length ? out.map((text) => h("div", {}, text)) : status.has_list && "no row of the list"],
    ["Only in", campaign.windows?.length > 0 && `${campaign.windows.join(", ")} (${campaign.timezone})`],
    ["Pauses after", campaign.pause_after && count(campaign.pause_after, "email")],
    ["Warm-up", campaign.ramp && rampText(campaign.ramp)],
  ];
  return h(
    "dl",
    { class: "pairs" },
    pairs.filter(([, value]) => value).map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
}

function rampText({ from, to, over_hours: hours }) {
  return `from ${number(from)} to ${number(to)} emails per minute, over ${duration(hours * 3600)}`;
}

/** The warnings about content and list that a start must accept. */
function toAccept(campaign, status) {
  const codes = new Set(status.unaccepted);
  return [
    ...(campaign.warnings ?? []).filter(({ level }) => level === "acknowledge"),
    ...status.warnings.filter(({ code }) => codes.has(code)).map((warning) => ({ ...warning, field: "list" })),
  ];
}

function hints(campaign) {
  const found = (campaign.warnings ?? []).filter(({ level }) => level === "hint");
  if (!found.length) return null;
  return h("details", {}, h("summary", {}, count(found.length, "hint")), findingList(found));
}

/** The warnings with the tick that accepts them. */
function acknowledgement(warnings) {
  const [tickId, problemId] = [freshId("accept"), freshId("accept")];
  const tick = h("input", {
    type: "checkbox",
    id: tickId,
    "aria-describedby": problemId,
    onchange: () => fill(problem),
  });
  const problem = h("p", { class: "problem", id: problemId, role: "alert" });
  const node = h(
    "div",
    { class: "callout warning", hidden: !warnings.length },
    h("p", {}, h("strong", {}, count(warnings.length, "warning"))),
    findingList(warnings),
    h(
      "div",
      { class: "choice" },
      tick,
      h("label", { for: tickId }, "I have read the warnings and want to start anyway"),
    ),
    problem,
  );
  const demand = () => {
    fill(problem, "Tick this first, or go back and mend what the warnings name.");
    tick.focus();
  };
  return { node, missing: () => warnings.length > 0 && !tick.checked, demand };
}
