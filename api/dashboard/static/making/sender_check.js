// The check of a sender's domain beside "From": SPF, DKIM, DMARC and their alignment, with what to put into the DNS.

import { get } from "../client.js";
import { fill, h } from "../dom.js";

const VERDICTS = { ok: "OK", warn: "Could be better", fail: "Mailboxes may refuse it", unknown: "Not known" };
const CHECKS = [
  ["spf", "SPF"],
  ["dkim", "DKIM"],
  ["dmarc", "DMARC"],
  ["alignment", "Alignment"],
];
/** The DNS may take long, in ms. */
const PATIENCE_MS = 30_000;

/**
 * The button and its report.
 *
 * @param {() => string} from the sender as it is written now
 */
export function senderCheck(from) {
  const report = h("div", { "aria-live": "polite" });
  const button = h("button", { class: "button small", type: "button", onclick: check }, "Check sender");

  async function check() {
    button.disabled = true;
    fill(report, h("p", { class: "quiet" }, "Asking the DNS…"));
    try {
      const found = await get(`/sender-check?${new URLSearchParams({ from: from() })}`, { timeoutMs: PATIENCE_MS });
      fill(report, shown(found));
    } catch (error) {
      fill(report, h("p", { class: "problem" }, error.message));
    } finally {
      button.disabled = false;
    }
  }
  return { node: h("div", { class: "sender-check" }, button, report) };
}

function shown(found) {
  return [
    h("p", {}, h("strong", {}, found.domain), ": ", verdict(found.verdict)),
    h(
      "details",
      { open: found.verdict === "fail" },
      h("summary", {}, "SPF, DKIM, DMARC"),
      h(
        "dl",
        { class: "pairs" },
        CHECKS.map(([name, label]) => one(label, found[name])),
      ),
    ),
  ];
}

function one(label, { verdict: how, detail, to_do: records }) {
  return h(
    "div",
    {},
    h("dt", {}, label),
    h(
      "dd",
      {},
      verdict(how),
      ` ${detail}`,
      records.map(({ name, type, value }) => h("pre", { tabindex: "0" }, `${name}  ${type}  ${value}`)),
    ),
  );
}

function verdict(how) {
  return h("strong", { class: `verdict ${how}` }, VERDICTS[how] ?? how);
}
