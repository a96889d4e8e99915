// What the campaign's list is: what was recognised in it, its counts and its columns.

import { fill, h } from "../dom.js";
import { recipientsButton } from "../downloads.js";
import { bytes, count, number } from "../format.js";
import { reasonText } from "../reasons.js";
import { recipientRows } from "../recipient_rows.js";

/** How many columns are shown; the others are folded away. */
const COLUMNS_SHOWN = 24;
/** How many rejected rows are shown as examples, and how long reading them may take, in ms. */
const EXAMPLES = 10;
const EXAMPLES_MS = 20_000;
/** The confidence from which an encoding is not called a guess. */
const SURE = 0.95;

/** The delimiters by name. */
export const DELIMITERS = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar" };

/** What Postrider has recognised in a file: format, encoding, delimiter, column of addresses, sample values. */
export function recognisedFacts({
  format,
  encoding,
  encoding_confidence: sure,
  delimiter,
  email_column: column,
  samples,
}) {
  if (!format) return null;
  const isText = !/xlsx|ods/.test(format);
  const guess = sure !== undefined && sure < SURE ? ` (a guess, ${Math.round(sure * 100)} % sure)` : "";
  const facts = [
    ["Format", format.toUpperCase()],
    isText && ["Encoding", `${encoding}${guess}`],
    isText && !/jsonl/.test(format) && ["Delimiter", DELIMITERS[delimiter] ?? delimiter],
    ["Email column", column],
    samples.length > 0 && ["Sample values", samples.join(" · ")],
  ];
  return h(
    "dl",
    { class: "facts" },
    facts.filter(Boolean).map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
}

/** The campaign's list, or that there is none. */
export function listFacts(campaignId, status, campaign, perform) {
  if (!campaign.size) return h("p", {}, "No list yet.");
  const rejected = status.rejected ? count(status.rejected, "row") : "no row";
  const excluded = status.excluded ? `, ${count(status.excluded, "row")} excluded` : "";
  const parsed = status.has_list && campaign.columns.length > 0;
  return [
    h(
      "p",
      { class: "file" },
      h("strong", {}, campaign.filename || "List without a file name"),
      h("span", { class: "quiet" }, ` ${bytes(campaign.size)}`),
    ),
    status.status === "rejected" && h("p", {}, "This list cannot be used; see the reason above. Choose another file."),
    parsed && h("p", {}, `${count(status.total, "recipient")}, ${rejected} rejected${excluded}.`),
    parsed && recognisedFacts({ ...status, encoding_confidence: campaign.list_facts?.encoding_confidence }),
    parsed && status.rejected > 0 && rejections(campaignId, status, perform),
    parsed && status.warnings.map(({ message }) => h("div", { class: "callout" }, h("p", {}, message))),
    parsed && columnList(campaign),
  ];
}

/** The rejected rows by reason, and their download. */
function rejections(campaignId, status, perform) {
  return h(
    "div",
    { class: "stack" },
    h(
      "ul",
      { class: "plain-list" },
      Object.entries(status.reasons).map(([reason, rows]) => h("li", {}, reasonText(reason, rows))),
    ),
    examples(campaignId),
    h("div", {}, recipientsButton(campaignId, "rejected", "Rejected rows as CSV", perform)),
  );
}

/** The first rejected rows, read once they are asked for. */
function examples(campaignId) {
  const list = h("ul", { class: "plain-list" });
  const node = h("details", { ontoggle: () => node.open && read() }, h("summary", {}, "Examples"), list);

  async function read() {
    const found = [];
    try {
      for await (const one of recipientRows(campaignId, "rejected", AbortSignal.timeout(EXAMPLES_MS))) {
        found.push(h("li", {}, `Row ${number(one.row)}: `, h("code", {}, one.email || "(empty)"), ` ${one.reason}`));
        if (found.length === EXAMPLES) break;
      }
      fill(list, found);
    } catch (error) {
      fill(list, h("li", { class: "problem" }, error.message));
    }
  }
  return node;
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
