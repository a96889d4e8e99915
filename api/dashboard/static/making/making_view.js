// A campaign that has not been started: its four steps, of which one is shown.

import { h } from "../dom.js";
import { checkStep } from "./check_step.js";
import { contentStep } from "./content_step.js";
import { listStep } from "./list_step.js";
import { sendStep } from "./send_step.js";
import { nextStep, stepper, stepStates } from "./stepper.js";

/**
 * The view.
 *
 * @param {string} campaignId
 * @param {object} campaign
 * @param {Set<string>} names the content's fields that the server knows
 * @param {object} page
 * @param {Function} page.perform
 * @param {() => Promise<void>} page.refresh
 * @param {HTMLElement} page.steps the row of buttons with the start
 */
export function makingView(campaignId, campaign, names, { perform, refresh, steps }) {
  const own = { perform, refresh, steps, changed: () => redraw() };
  const made = {
    content: contentStep(campaignId, campaign, names, own),
    list: listStep(campaignId, { ...own, changed: () => refresh().catch(() => undefined) }),
    check: checkStep(campaignId, own),
    send: sendStep(campaignId, own),
  };
  const nav = stepper(campaignId);
  const node = h(
    "div",
    { class: "stack" },
    nav.node,
    Object.values(made).map((step) => step.node),
  );
  let latest = null;
  let wanted = null;
  let shown = null;

  function redraw() {
    if (!latest) return;
    const now = wanted ?? nextStep(latest.status);
    const states = stepStates(latest.status, latest.campaign, {
      dirty: made.content.dirty(),
      upload: made.list.busy(),
    });
    nav.update(now, states);
    if (now === shown) return;
    for (const [name, step] of Object.entries(made)) step.node.hidden = name !== now;
    made[shown]?.hide();
    shown = now;
    made[now].show();
    if (document.activeElement !== document.body) nav.keepFocus();
  }

  /** Show a step; null: the one that the state needs next, which then stays. */
  function go(name) {
    wanted = name;
    redraw();
  }

  function update(status, now) {
    latest = { status, campaign: now };
    for (const step of Object.values(made)) step.update(status, now);
    wanted ??= nextStep(status);
    redraw();
  }
  const leave = () => Object.values(made).forEach((step) => step.leave());
  return { node, update, go, leave };
}
