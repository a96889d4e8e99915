// The result of the last step, or why it failed.

import { fill, h } from "./dom.js";

/** How long the result of a step is shown, in ms; an error is shown until the next step. */
const SAID_MS = 12_000;

/** How long an error that the next good status replaces is shown at least, in ms. */
const ERROR_MS = 5_000;

/** The box. */
export function noticeBox() {
  const node = h("div", { class: "notice", role: "status", "aria-live": "polite" });
  let timer = null;
  let passing = null;
  const show = (...children) => {
    clearTimeout(timer);
    fill(node, children);
  };
  const say = (text) => {
    passing = null;
    show(text && h("div", { class: "callout" }, h("p", {}, text)));
    timer = setTimeout(show, SAID_MS);
  };
  /** Show an error; one with `until: "status"` goes with the next good status. */
  const fail = (error) => {
    passing = error.until === "status" ? Date.now() + ERROR_MS : null;
    show(h("div", { class: "callout danger", role: "alert" }, h("p", {}, error.message)));
  };
  /** A good status has arrived. */
  const good = () => {
    if (passing === null || Date.now() < passing) return;
    passing = null;
    show();
  };
  return { node, say, fail, good };
}
