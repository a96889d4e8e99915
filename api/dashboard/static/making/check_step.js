// The step "Check": what was found about content and list, real emails side by side, and test emails.

import { path } from "../client.js";
import { h, write } from "../dom.js";
import { showFindings } from "../findings.js";
import { count } from "../format.js";
import { previewPanel } from "./preview_panel.js";
import { senderCheck } from "./sender_check.js";
import { testSend } from "./test_send.js";

/** The step. */
export function checkStep(campaignId, { perform }) {
  const findings = h("div", {});
  const summary = h("p", { class: "quiet" });
  let from = "";
  const sender = senderCheck(() => from);
  const preview = previewPanel(campaignId, { beside: true });
  const test = testSend(campaignId, preview.row, perform);
  const node = h(
    "div",
    { class: "stack" },
    h(
      "section",
      { class: "panel", "aria-labelledby": "checks-title" },
      h("h2", { id: "checks-title" }, "Checks"),
      summary,
      findings,
      sender.node,
      h(
        "div",
        { class: "actions" },
        h("a", { class: "button small", href: `#${path(campaignId, "content")}` }, "Edit the content"),
      ),
    ),
    h(
      "section",
      { class: "panel", "aria-labelledby": "preview-title" },
      h("h2", { id: "preview-title" }, "Emails as they will be sent"),
      preview.node,
    ),
    test.node,
    h(
      "div",
      { class: "actions" },
      h("a", { class: "button primary", href: `#${path(campaignId, "send")}` }, "Next: Send"),
    ),
  );
  let shown = false;
  let before = "";

  function update(status, campaign) {
    from = campaign.from;
    const found = [...(campaign.warnings ?? []), ...listWarnings(status)];
    const key = JSON.stringify(found);
    if (key !== before) {
      showFindings(findings, found, "The checks find nothing.");
      const accept = status.unaccepted.length;
      write(
        summary,
        accept ? `${count(accept, "kind")} of warning must be accepted in the review before the start.` : "",
      );
    }
    preview.update(status);
    const changed = key !== before || (!shown && status.has_list);
    if (shown && changed) preview.show();
    before = key;
  }
  const show = () => {
    shown = true;
    preview.show();
  };
  const hide = () => {
    shown = false;
  };
  return { node, update, show, hide, leave: preview.leave };
}

function listWarnings({ warnings, unaccepted }) {
  const codes = new Set(unaccepted);
  return warnings.map((warning) => ({
    ...warning,
    field: "list",
    level: codes.has(warning.code) ? "acknowledge" : "hint",
  }));
}
