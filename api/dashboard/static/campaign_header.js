// The head of a campaign's page: id, state, subject, times, and the reason of its state.

import { blocker } from "./controls.js";
import { fill, h, write } from "./dom.js";
import { statusBadge } from "./figures.js";
import { duration, time } from "./format.js";

/** How the reason of a campaign's state is shown: the states that count as grave, and the words before the reason. */
const GRAVE = ["rejected", "paused"];
const REASONS = { paused: "Paused by the system: ", rejected: "The list cannot be used: " };

/** The head; `reason` is a node of its own, to stand below. */
export function campaignHeader(campaignId) {
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
    badge.update(blocker(status, campaign) ? "not_ready" : status.status);
    write(subject, campaign.subject);
    write(from, `from ${campaign.from}`);
    write(times, timesText(status, campaign));
    const why = reasonText(status, campaign);
    reason.hidden = !why;
    if (!why) return;
    reason.classList.toggle("danger", GRAVE.includes(status.status));
    reason.classList.toggle("warning", !GRAVE.includes(status.status));
    if (reason.textContent !== why.join("")) fill(reason, h("p", {}, h("strong", {}, why[0]), why[1]));
  };
  return { node, reason, update };
}

function timesText(status, campaign) {
  const known = [
    ["Created", campaign.created_at],
    ["started", status.started_at],
    [status.status === "cancelled" ? "cancelled" : "finished", status.finished_at],
  ].filter(([, at]) => at);
  const text = known.map(([label, at]) => `${label} ${time(at)}`).join(", ");
  if (!status.started_at || !status.finished_at) return text;
  return `${text}, took ${duration((Date.parse(status.finished_at) - Date.parse(status.started_at)) / 1000)}`;
}

/** The callout at the top, as its topic and the reason, or null. */
function reasonText(status, campaign) {
  if (status.status === "scheduled" && status.start_at) return ["Starts by itself: ", `on ${time(status.start_at)}.`];
  if (status.status === "paused" && status.reason === "canary")
    return ["Paused after the first emails, as planned: ", "look at their results, then resume."];
  if (status.status === "running" && status.window_opens_at)
    return ["Outside its sending windows: ", `the next one opens on ${time(status.window_opens_at)}.`];
  const blocked = blocker(status, campaign);
  if (blocked) return ["This campaign cannot start yet: ", blocked];
  if (status.reason && status.status !== "ready") return [REASONS[status.status] ?? "Note: ", status.reason];
  if (status.status === "parsing" && campaign.start_when_ready)
    return ["Starts automatically: ", "sending begins as soon as the list is read."];
  return null;
}
