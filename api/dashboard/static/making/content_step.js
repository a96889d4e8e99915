// The step "Content": the form beside a live preview of real rows, with the findings of what is written now.

import { Problem, path, post } from "../client.js";
import { announce, fill, h, write } from "../dom.js";
import { showFindings } from "../findings.js";
import { attachmentsPanel } from "./attachments_panel.js";
import { contentFields } from "./content_form.js";
import { contentOf } from "./content_schema.js";
import { previewPanel } from "./preview_panel.js";

/**
 * The step.
 *
 * @param {string} campaignId
 * @param {object} campaign
 * @param {Set<string>} names the content's fields that the server knows
 * @param {object} page
 * @param {(step: () => Promise<string|null>, options?: object) => void} page.perform
 * @param {() => void} page.changed called when there is something unsaved, or nothing any more
 * @param {() => Promise<void>} page.refresh
 */
export function contentStep(campaignId, campaign, names, { perform, changed, refresh }) {
  const draftKey = `content:${campaignId}`;
  const draft = kept(draftKey);
  let base = contentOf(campaign, names);
  let dirty = Boolean(draft);
  const fields = contentFields(draft ?? base, names);
  const findings = h("div", { class: "findings-box", "aria-live": "polite" });
  const preview = previewPanel(campaignId, {
    content: () => fields.value(base),
    onFindings: (found) => showFindings(findings, found, "The checks find nothing.", fields.open),
  });
  const attachments = attachmentsPanel(campaignId, perform);
  const problem = h("div", { role: "alert" });
  const saved = h("p", { class: "quiet" });
  const next = h("a", { class: "button", href: `#${path(campaignId, "list")}` }, "Next: List");
  const form = h(
    "form",
    { class: "panel sheet", onsubmit: submit, oninput: edited, onkeydown: shortcut, novalidate: true },
    h("h2", {}, "Content"),
    draft &&
      h(
        "p",
        { class: "callout" },
        "Your unsaved changes are here again. ",
        h("button", { class: "link", type: "button", onclick: forget }, "Discard them"),
      ),
    fields.node,
    problem,
    h(
      "div",
      { class: "actions save-bar" },
      h("button", { class: "button primary", type: "submit" }, "Save"),
      next,
      saved,
    ),
  );
  const node = h(
    "div",
    { class: "making" },
    h("div", { class: "column" }, form, attachments.node),
    h(
      "div",
      { class: "column aside" },
      h("section", { class: "panel" }, h("h2", {}, "Preview"), preview.node),
      h("section", { class: "panel", "aria-label": "Checks" }, h("h2", {}, "Checks"), findings),
    ),
  );

  function edited() {
    if (!dirty) become(true);
    sessionStorage.setItem(draftKey, JSON.stringify(fields.value(base)));
    preview.soon();
  }

  function become(now) {
    dirty = now;
    write(saved, now ? "Not saved yet" : "");
    changed();
  }

  function forget() {
    sessionStorage.removeItem(draftKey);
    dirty = false; // nothing is left to warn about
    location.reload();
  }

  function shortcut(event) {
    if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  }

  function submit(event) {
    event.preventDefault();
    save().catch((error) => fail(error));
  }

  async function save() {
    fill(problem);
    fields.mark([]);
    const content = fields.value(base);
    const now = await post(path(campaignId), content, { method: "PUT" });
    base = contentOf(now, names);
    sessionStorage.removeItem(draftKey);
    become(false);
    write(saved, "Saved.");
    announce("Saved");
    await refresh();
  }

  function fail(error) {
    const mistakes = error instanceof Problem ? (error.body.errors ?? []) : [];
    fill(
      problem,
      h(
        "div",
        { class: "callout danger" },
        mistakes.length > 1 ? showFindings(h("div", {}), mistakes, "", fields.open) : h("p", {}, error.message),
      ),
    );
    if (mistakes.length) fields.mark(mistakes);
  }

  const warn = (event) => dirty && event.preventDefault();
  window.addEventListener("beforeunload", warn);
  let shown = false;
  let before = "";
  const update = (status, now) => {
    fields.showColumns(status.has_list ? now.columns : []);
    preview.update(status);
    const key = `${status.has_list} ${now.list_facts?.email_column} ${status.total}`;
    if (shown && key !== before) preview.show();
    before = key;
  };
  const show = () => {
    shown = true;
    preview.show();
  };
  const hide = () => {
    shown = false;
  };
  const leave = () => {
    window.removeEventListener("beforeunload", warn);
    preview.leave();
  };
  return { node, update, show, hide, leave, dirty: () => dirty };
}

function kept(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}
