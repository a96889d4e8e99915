// The page for a new campaign: its name and its content. The other steps can be visited once it exists.

import { Problem, path, post } from "../client.js";
import { fill, h } from "../dom.js";
import { showFindings } from "../findings.js";
import { campaignName } from "./campaign_name.js";
import { contentFields } from "./content_form.js";
import { contentFieldNames } from "./content_schema.js";
import { stepper } from "./stepper.js";

const DRAFT = "draft";
const STATES = {
  content: { mark: "todo", text: "Write it now" },
  list: { mark: "todo", text: "After creating" },
  check: { mark: "todo", text: "After creating" },
  send: { mark: "todo", text: "After creating" },
};

/** The page. */
export function newCampaignPage() {
  const body = h("div", {}, h("p", { class: "quiet" }, "Loading…"));
  const nav = stepper(null);
  nav.update("content", STATES);
  const left = new AbortController();
  contentFieldNames()
    .then((names) => left.signal.aborted || fill(body, form(names)))
    .catch((error) => fill(body, h("p", { class: "problem", role: "alert" }, error.message)));
  document.title = "New campaign - Postrider";
  const node = h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "New campaign"), nav.node, body);
  return { node, leave: () => left.abort() };
}

function form(names) {
  const name = campaignName();
  const fields = contentFields(JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}"), names);
  const problem = h("div", { role: "alert" });
  const button = h("button", { class: "button primary", type: "submit" }, "Create campaign");
  const node = h(
    "form",
    {
      class: "panel sheet narrow",
      onsubmit: submit,
      oninput: () => sessionStorage.setItem(DRAFT, JSON.stringify(fields.value())),
    },
    name.node,
    fields.node,
    problem,
    h("div", { class: "actions" }, button),
  );

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(problem);
    fields.mark([]);
    try {
      await post(path(name.id()), fields.value(), { method: "PUT", headers: { "If-None-Match": "*" } });
      sessionStorage.removeItem(DRAFT);
      location.hash = `#${path(name.id(), "list")}`;
    } catch (error) {
      fail(error);
    } finally {
      button.disabled = false;
    }
  }

  function fail(error) {
    const mistakes = error instanceof Problem ? (error.body.errors ?? []) : [];
    const shown =
      mistakes.length > 1 ? showFindings(h("div", {}), mistakes, "", fields.open) : h("p", {}, error.message);
    fill(problem, h("div", { class: "callout danger" }, shown));
    if (error.status === 412) name.refuse();
    else if (mistakes.length) fields.mark(mistakes);
  }
  return node;
}
