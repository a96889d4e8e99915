// The four steps of making a campaign, in any order, each with its state.

import { path } from "../client.js";
import { h, write } from "../dom.js";
import { blocker } from "../controls.js";
import { count } from "../format.js";

/** The steps: the last part of the address, and the label. */
const STEPS = [
  ["content", "Content"],
  ["list", "List"],
  ["check", "Check"],
  ["send", "Send"],
];

/** The step that a campaign in this state needs next. */
export function nextStep(status) {
  return ["ready", "scheduled"].includes(status.status) ? "send" : "list";
}

/**
 * The state of each step: `mark` is done, todo, problem or busy; `text` says it in words.
 *
 * @returns {Record<string, {mark: string, text: string}>}
 */
export function stepStates(status, campaign, { dirty, upload }) {
  return {
    content: contentState(campaign, dirty),
    list: listState(status, upload),
    check: checkState(status, campaign),
    send: sendState(status, campaign),
  };
}

function contentState(campaign, dirty) {
  if (dirty) return { mark: "todo", text: "Not saved yet" };
  const stops = (campaign.warnings ?? []).filter(({ level }) => level === "stops_start").length;
  if (stops) return { mark: "problem", text: `${count(stops, "problem")}` };
  return { mark: "done", text: "Saved" };
}

function listState(status, upload) {
  if (upload) return { mark: "busy", text: "Uploading" };
  if (status.status === "parsing") return { mark: "busy", text: "Being read" };
  if (status.status === "rejected") return { mark: "problem", text: "Cannot be used" };
  if (!status.has_list) return { mark: "todo", text: "No list yet" };
  return { mark: status.total ? "done" : "problem", text: count(status.total, "recipient") };
}

function checkState(status, campaign) {
  if (status.unaccepted.length) return { mark: "todo", text: count(status.unaccepted.length, "warning") };
  const hints = (campaign.warnings ?? []).filter(({ level }) => level === "hint").length;
  return { mark: "done", text: hints ? count(hints, "hint") : "Nothing found" };
}

function sendState(status, campaign) {
  if (status.status === "scheduled") return { mark: "busy", text: "Scheduled" };
  if (status.status === "parsing" && campaign.start_when_ready) return { mark: "busy", text: "Starts by itself" };
  if (status.status === "ready" && !blocker(status, campaign)) return { mark: "todo", text: "Ready to start" };
  return { mark: "todo", text: "Not ready yet" };
}

/** The navigation. Without a campaign id, only the first step can be visited. */
export function stepper(campaignId) {
  const items = STEPS.map(([name, label], at) => {
    const state = h("span", { class: "step-state" });
    const mark = h("span", { class: "step-mark", "aria-hidden": "true" });
    const inside = [mark, h("span", { class: "step-text" }, h("span", { class: "step-label" }, label), state)];
    const link = campaignId
      ? h("a", { href: `#${path(campaignId, name)}` }, inside)
      : h("span", { class: "step-off" }, inside);
    return { name, state, mark, number: String(at + 1), link, node: h("li", {}, link) };
  });
  const node = h(
    "nav",
    { class: "stepper", "aria-label": "Steps" },
    h(
      "ol",
      {},
      items.map((item) => item.node),
    ),
  );
  const update = (current, states) => {
    for (const { name, state, mark, number, link, node: item } of items) {
      if (name === current) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
      item.dataset.mark = states[name].mark;
      write(mark, states[name].mark === "done" ? "✓" : number);
      write(state, states[name].text);
    }
  };
  /** Focus the current step, if the focus would be lost. */
  const keepFocus = () => document.activeElement?.checkVisibility() || node.querySelector("[aria-current]").focus();
  return { node, update, keepFocus };
}
