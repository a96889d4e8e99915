// The campaign's list: what it contains, and the form that uploads a file.

import { bytes, count, duration, number, percent } from "./format.js";
import { fill, freshId, h, write } from "./dom.js";
import { recipientsButton } from "./downloads.js";
import { DIRECT_BYTES, beginUpload, forgetUpload, uploadOf } from "./upload.js";

/** How many columns are shown; the others are folded away. */
const COLUMNS_SHOWN = 24;

/** A progress bar with a text, for an upload or for parsing. */
function meter(label) {
  const bar = h("progress", { max: 1, "aria-label": label });
  const text = h("p", { class: "quiet numbers" });
  const update = (done, whole, words) => {
    if (whole) bar.value = done / whole;
    else bar.removeAttribute("value");
    write(text, words);
  };
  return { node: h("div", { class: "transfer" }, bar, text), update };
}

/** The fields for the file and its email column; also part of the form for a new campaign. */
export function listFields() {
  const [file, column, hint] = [freshId("file"), freshId("column"), freshId("hint")];
  const input = h("input", {
    id: file,
    type: "file",
    accept: ".csv,.tsv,.txt,.xlsx,.ods,.gz,.zip,.jsonl,.ndjson,text/csv,text/tab-separated-values",
    "aria-describedby": hint,
  });
  const field = h("input", { id: column, type: "text", maxlength: 200, placeholder: "recognised", autocomplete: "off" });
  const node = h(
    "div",
    { class: "fields" },
    h(
      "div",
      { class: "field" },
      h("label", { for: file }, "CSV file"),
      input,
      h(
        "p",
        { id: hint, class: "hint" },
        "CSV, Excel (XLSX), ODS or JSON Lines, also as gzip or zip. It needs a header row and a column of email ",
        "addresses. Any size is possible: ",
        `above ${bytes(DIRECT_BYTES)} the browser uploads it in parts, straight to the object store.`,
      ),
    ),
    h("div", { class: "field" }, h("label", { for: column }, "Email column (if it is not recognised)"), field),
  );
  return { node, input, chosen: () => input.files[0], column: () => field.value.trim() };
}

/** The panel. */
export function listPanel(campaignId, perform) {
  const facts = h("div", {});
  const parsing = parseMeter();
  const transfer = transferBox(campaignId, perform);
  const picker = pickerForm(campaignId, () => transfer.watch());
  const node = h(
    "section",
    { class: "panel", "aria-labelledby": "list-title" },
    h("h2", { id: "list-title" }, "List"),
    facts,
    parsing.node,
    transfer.node,
    picker.node,
  );
  let shown = "";
  let takes = false;
  let has = false;
  const offer = () => picker.update(takes && !transfer.busy(), has);

  function update(status, campaign) {
    parsing.update(status);
    takes = status.changeable;
    has = campaign.size > 0;
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

  transfer.onchange(offer);
  transfer.watch();
  return { node, update, leave: transfer.leave, onchange: transfer.onchange };
}

function listFacts(campaignId, status, campaign, perform) {
  if (!campaign.size) return h("p", {}, "No list yet.");
  const rejected = status.rejected ? count(status.rejected, "row") : "no row";
  const excluded = status.excluded ? `, ${count(status.excluded, "row")} excluded` : "";
  const parsed = status.has_list && campaign.columns.length > 0;
  return [
    h(
      "p",
      { class: "file" },
      h("strong", {}, campaign.filename || "a list without a file name"),
      h("span", { class: "quiet" }, ` ${bytes(campaign.size)}`),
    ),
    status.status === "rejected" &&
      h("p", {}, "This list cannot be used; see the reason above. Choose another file."),
    parsed &&
      h(
        "div",
        { class: "beside" },
        h("p", {}, `${count(status.total, "recipient")}, ${rejected} rejected${excluded}.`),
        status.rejected > 0 && recipientsButton(campaignId, "rejected", "Rejected rows as CSV", perform),
      ),
    parsed && recognised(status),
    parsed && status.warnings.map(({ message }) => h("div", { class: "callout" }, h("p", {}, message))),
    parsed && columnList(campaign),
  ];
}

/** Words for the reasons of rejected rows. */
const REASONS = {
  duplicate: "repeat an address",
  invalid_email: "without a valid address",
  malformed: "cannot be read",
  suppressed: "suppressed",
  too_long: "too long",
};
const DELIMITERS = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar" };

/** What Postrider has recognised in the file, and why rows are rejected. */
function recognised({ format, encoding, delimiter, email_column: column, samples, reasons }) {
  if (!format) return null;
  const facts = [
    ["Format", format.toUpperCase()],
    ["Encoding", encoding],
    ["Delimiter", DELIMITERS[delimiter] ?? delimiter],
    ["Email column", column],
  ];
  if (samples.length) facts.push(["Sample values", samples.join(" · ")]);
  for (const [reason, rows] of Object.entries(reasons))
    facts.push([`Rejected: ${REASONS[reason] ?? reason}`, number(rows)]);
  return h(
    "dl",
    { class: "facts" },
    facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
}

function columnList({ columns }) {
  const tags = columns.map((name) => h("li", {}, h("code", {}, name || "(no name)")));
  const rest = tags.splice(COLUMNS_SHOWN);
  return h(
    "div",
    {},
    h("p", { class: "quiet" }, `${count(columns.length, "column")}, with the names for templates:`),
    h("ul", { class: "tags" }, tags),
    rest.length > 0 &&
      h("details", {}, h("summary", {}, `and ${number(rest.length)} more`), h("ul", { class: "tags" }, rest)),
  );
}

function parseMeter() {
  const shown = meter("Reading the list");
  const node = h("div", {}, h("p", {}, h("strong", {}, "Reading the list")), shown.node);
  const update = ({ status, parsed }) => {
    node.hidden = status !== "parsing";
    if (node.hidden) return;
    const at = parsed ?? { bytes: 0, size: 0, rows: 0 };
    shown.update(
      at.bytes,
      at.size,
      at.size
        ? `${bytes(at.bytes)} of ${bytes(at.size)} (${percent(at.bytes, at.size)}), ${count(at.rows, "row")}`
        : "Waiting for a worker",
    );
  };
  return { node, update };
}

function pickerForm(campaignId, begun) {
  const fields = listFields();
  const title = h("summary", {});
  const submit = h("button", { class: "button primary", type: "submit" }, "Upload");
  const send = (event) => {
    event.preventDefault();
    if (!fields.chosen()) return;
    beginUpload(campaignId, fields.chosen(), fields.column());
    begun();
  };
  const form = h("form", { onsubmit: send }, fields.node, h("div", { class: "actions" }, submit));
  const node = h("details", { class: "picker" }, title, form);
  fields.input.required = true;
  for (const name of ["dragover", "drop"]) node.addEventListener(name, (event) => event.preventDefault());
  node.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length) fields.input.files = event.dataTransfer.files;
  });
  let before = null;
  const update = (shown, replaces) => {
    node.hidden = !shown;
    write(title, replaces ? "Replace the list" : "Choose a list");
    if (before !== replaces) node.open = !replaces;
    before = replaces;
  };
  return { node, update };
}

/** The upload in progress, if there is one. */
function transferBox(campaignId, perform) {
  const changes = new EventTarget();
  const left = new AbortController();
  const shown = meter("Upload");
  let before;
  const title = h("strong", {});
  const problem = h("p", { class: "problem", role: "alert" });
  const again = h(
    "button",
    { class: "button primary", type: "button", onclick: () => uploadOf(campaignId)?.run() },
    "Resume upload",
  );
  const abort = h(
    "button",
    { class: "button", type: "button", "data-step": true, onclick: giveUp },
    "Abort upload",
  );
  const node = h(
    "div",
    { class: "upload", hidden: true },
    h("p", {}, title),
    shown.node,
    problem,
    h("div", { class: "actions" }, again, abort),
  );

  function giveUp() {
    perform(async () => {
      await uploadOf(campaignId)?.abort();
      return "Upload aborted; what had arrived is deleted.";
    });
  }

  function draw() {
    const upload = uploadOf(campaignId);
    const over = ["done", "aborted"].includes(upload?.state);
    node.hidden = !upload || over;
    if (over) forgetUpload(campaignId);
    if (upload?.state !== before) changes.dispatchEvent(new Event("change"));
    before = upload?.state;
    if (node.hidden) return;
    write(
      title,
      upload.state === "finishing" ? `Completing ${upload.file.name}` : `Uploading ${upload.file.name}`,
    );
    shown.update(upload.sent, upload.size, transferText(upload));
    problem.hidden = !upload.error;
    write(problem, upload.error?.message ?? "");
    again.hidden = upload.state !== "stuck";
    abort.hidden = upload.state === "refused";
  }

  const watch = () => {
    uploadOf(campaignId)?.addEventListener("change", draw, { signal: left.signal });
    draw();
  };
  const busy = () => Boolean(uploadOf(campaignId)?.active || uploadOf(campaignId)?.state === "stuck");
  return {
    node,
    watch,
    busy,
    leave: () => left.abort(),
    onchange: (listener) => changes.addEventListener("change", listener),
  };
}

function transferText(upload) {
  const { parts, arrived } = upload.counts;
  const texts = [`${bytes(upload.sent)} of ${bytes(upload.size)} (${percent(upload.sent, upload.size)})`];
  if (parts > 1) texts.push(`${number(arrived)} of ${count(parts, "part")}`);
  if (upload.active && upload.speed)
    texts.push(
      `${bytes(upload.speed)} per second`,
      `about ${duration((upload.size - upload.sent) / upload.speed)} left`,
    );
  return texts.join(", ");
}
