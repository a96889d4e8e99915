// The step "Send": what is still missing, where the emails go, how fast and until when; then the review and the start.

import { accountOf } from "../accounts.js";
import { path } from "../client.js";
import { blocker } from "../controls.js";
import { destinationChip } from "../destination_chip.js";
import { fill, h, write } from "../dom.js";
import { clockIn, sendingTime } from "../estimate.js";
import { count, duration, number, time } from "../format.js";
import { rateForm } from "../rate_form.js";
import { leftOut } from "../reasons.js";

/** The step; `steps` is the row of buttons with the start. */
export function sendStep(campaignId, { perform, steps }) {
  const missing = h("ul", { class: "missing" });
  const lead = h("p", { class: "lead" });
  const facts = h("dl", { class: "pairs" });
  const rate = rateForm(campaignId, perform);
  const go = h("div", { class: "panel stack" }, h("h2", {}, "Send"), missing, lead, facts, steps);
  const node = h(
    "div",
    { class: "making" },
    h("div", { class: "column" }, go),
    h(
      "div",
      { class: "column" },
      h("section", { class: "panel", "aria-label": "Rate" }, h("h2", {}, "Rate"), rate.node),
    ),
  );
  let account = null;

  function update(status, campaign) {
    const lacks = lacking(campaignId, status, campaign);
    fill(missing, lacks);
    missing.hidden = !lacks.length;
    write(lead, sentence(status, campaign, account));
    lead.hidden = !lead.textContent;
    const pairs = [
      ["Emails go to", account && destinationChip(account)],
      ["From", campaign.from],
      ["Subject", campaign.subject],
      ["Left out", leftOut(status).map((text) => h("div", {}, text))],
    ];
    fill(
      facts,
      pairs
        .filter(([, value]) => value && value.length !== 0)
        .map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
    );
    rate.update(status);
    latest = { status, campaign };
  }
  let latest = null;
  const show = () =>
    accountOf(latest.campaign)
      .then((found) => {
        account = found;
        update(latest.status, latest.campaign);
      })
      .catch(() => undefined); // without the account, the rest is still true
  return { node, update, show, hide: () => undefined, leave: () => undefined };
}

function sentence(status, campaign, account) {
  if (status.status === "parsing" && campaign.start_when_ready) return "Sending begins as soon as the list is read.";
  if (status.status === "scheduled")
    return `${count(status.total, "person", "people")} get it from ${time(status.start_at)} on.`;
  if (status.status !== "ready" || !status.total) return "";
  const tpm = Math.min(status.rate_limit, account?.tpm ?? Infinity);
  const seconds = sendingTime(status.total, tpm, campaign.ramp);
  const took = seconds < 60 ? "less than a minute" : `about ${duration(seconds)}`;
  return `${count(status.total, "person", "people")} at ${number(tpm)} emails per minute: ${took}, done by ${clockIn(seconds)} if it starts now.`;
}

/** What is missing, each with the step that mends it. */
function lacking(campaignId, status, campaign) {
  const link = (step, text) => h("a", { href: `#${path(campaignId, step)}` }, text);
  if (status.status === "draft") return [h("li", {}, link("list", "Upload a list"), " first.")];
  if (status.status === "rejected")
    return [h("li", {}, link("list", "Choose another list"), ": the present one cannot be used.")];
  const why = blocker(status, campaign);
  if (why)
    return [h("li", {}, "It cannot start yet: ", why, " ", link("content", "Content"), ", ", link("list", "List"))];
  if (status.unaccepted.length && status.status === "ready")
    return [
      h(
        "li",
        { class: "quiet" },
        link("check", count(status.unaccepted.length, "warning")),
        " to read; the review asks you to accept them.",
      ),
    ];
  return [];
}
