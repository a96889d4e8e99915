// The step "List": the present list, the upload in progress, and the choice of a file.

import { path } from "../client.js";
import { fill, h, write } from "../dom.js";
import { bytes, count, percent } from "../format.js";
import { fileChooser } from "../lists/file_chooser.js";
import { listFacts } from "../lists/list_facts.js";
import { interruptedBox, meter, transferBox } from "../lists/transfer_box.js";
import { beginUpload } from "../upload.js";

/** The step. `changed` is told whenever an upload begins, ends or stops. */
export function listStep(campaignId, { perform, changed }) {
  const facts = h("div", { class: "stack" });
  const parsing = parseMeter();
  const transfer = transferBox(campaignId, perform);
  const chooser = fileChooser(campaignId, take);
  const broken = interruptedBox(campaignId, perform, () => transfer.watch());
  const title = h("summary", {});
  const picker = h("details", { class: "picker" }, title, chooser.node);
  const next = h("a", { class: "button primary", href: `#${path(campaignId, "check")}` }, "Next: Check");
  const node = h(
    "section",
    { class: "panel stack", "aria-labelledby": "list-title" },
    h("h2", { id: "list-title" }, "List"),
    facts,
    parsing.node,
    transfer.node,
    broken.node,
    picker,
    h("div", { class: "actions" }, next),
  );
  let shown = "";
  let before = null;
  let has = false;

  function take(file, options, handle) {
    beginUpload(campaignId, file, options, handle);
    transfer.watch();
  }

  function offer() {
    picker.hidden = transfer.busy();
    write(title, has ? "Replace the list" : "Choose a list");
    if (before !== has) picker.open = !has;
    before = has;
  }

  function update(status, campaign) {
    parsing.update(status);
    has = campaign.size > 0;
    next.hidden = !status.has_list || !status.total;
    offer();
    const now = JSON.stringify([
      status.status,
      status.total,
      status.rejected,
      status.excluded,
      status.warnings,
      campaign.filename,
      campaign.size,
      campaign.columns,
    ]);
    if (now !== shown) fill(facts, listFacts(campaignId, status, campaign, perform));
    shown = now;
  }

  transfer.onchange(() => {
    offer();
    changed();
  });
  transfer.watch();
  const leave = () => {
    transfer.leave();
    chooser.leave();
  };
  return { node, update, show: () => broken.look(), hide: () => undefined, leave, busy: transfer.busy };
}

function parseMeter() {
  const shown = meter("Reading the list");
  const node = h("div", {}, h("p", {}, h("strong", {}, "Reading the list")), shown.node);
  const update = ({ status, parsed }) => {
    node.hidden = status !== "parsing";
    if (node.hidden) return;
    const at = parsed ?? { bytes: 0, size: 0, rows: 0 };
    const far = `${bytes(at.bytes)} of ${bytes(at.size)} (${percent(at.bytes, at.size)}), ${count(at.rows, "row")}`;
    shown.update(at.bytes, at.size, at.bytes ? far : "Waiting for a worker");
  };
  return { node, update };
}
