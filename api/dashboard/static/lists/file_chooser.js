// Choosing a file by drag and drop or by the dialog; what it would give is shown before it is taken.

import { announce, fill, freshId, h, write } from "../dom.js";
import { bytes, count } from "../format.js";
import { DIRECT_BYTES } from "../upload.js";
import { dryRun, dryRunShown } from "./dry_run.js";
import { readingOptions } from "./reading_options.js";

/**
 * The chooser.
 *
 * @param {string} campaignId
 * @param {(file: File, options: Record<string, string>, handle: FileSystemFileHandle|null) => void} take
 */
export function fileChooser(campaignId, take) {
  const [fileId, hintId] = [freshId("file"), freshId("hint")];
  const input = h("input", {
    id: fileId,
    type: "file",
    accept: ".csv,.tsv,.txt,.xlsx,.ods,.gz,.zip,.jsonl,.ndjson,text/csv,text/tab-separated-values",
    "aria-describedby": hintId,
    onchange: () => input.files[0] && choose(input.files[0], null),
  });
  const zone = h(
    "div",
    { class: "drop-zone" },
    h("label", { for: fileId }, "CSV file"),
    h("p", { class: "quiet" }, "Drop the file here, or choose it:"),
    input,
    h(
      "p",
      { id: hintId, class: "hint" },
      "CSV, Excel (XLSX), ODS or JSON Lines, also as gzip or zip, of any size. It needs a header row and a column of ",
      `email addresses. Above ${bytes(DIRECT_BYTES)} it goes straight to the object store, in parts.`,
    ),
  );
  const result = h("div", { class: "stack" });
  const problem = h("p", { class: "problem", role: "alert" });
  const options = readingOptions(() => read());
  const taking = h("button", { class: "button primary", type: "button", onclick: go }, "Upload");
  const box = h(
    "div",
    { class: "stack dry-run", hidden: true },
    h("h3", {}, ""),
    problem,
    result,
    h("details", { class: "reading" }, h("summary", {}, "Read it differently"), options.node),
    h("div", { class: "actions" }, taking),
  );
  const node = h("div", { class: "stack chooser" }, zone, box);
  let chosen = null;
  let reading = null;
  let readNow = Promise.resolve();

  function choose(file, handle) {
    chosen = { file, handle };
    options.reset();
    fill(result);
    write(box.querySelector("h3"), file.name);
    box.hidden = false;
    taking.disabled = true;
    read();
  }

  const read = () => {
    readNow = look();
  };

  async function look() {
    reading?.abort();
    reading = new AbortController();
    const { signal } = reading;
    write(problem, "");
    node.classList.add("busy");
    if (!result.childNodes.length) fill(result, h("p", { class: "quiet" }, "Reading the file…"));
    try {
      const run = await dryRun(campaignId, chosen.file, options.value(), signal);
      if (signal.aborted) return;
      fill(result, dryRunShown(run, chosen.file));
      options.update(run.found);
      if (run.found) announce(`${count(run.found.accepted, "recipient")} recognised`);
      taking.disabled = false;
    } catch (error) {
      if (signal.aborted) return;
      fill(result);
      write(problem, error.message);
      node.querySelector(".reading").open = true;
      taking.disabled = error.status !== 503 && !unread(error); // the file may be good: the server only could not look
    } finally {
      if (!signal.aborted) node.classList.remove("busy");
    }
  }

  /** A click may come while the file is read again with another option: what was read last counts. */
  async function go() {
    await readNow;
    if (!chosen || taking.disabled) return;
    take(chosen.file, options.value(), chosen.handle);
    close();
  }

  function close() {
    reading?.abort();
    chosen = null;
    input.value = "";
    box.hidden = true;
  }

  for (const name of ["dragenter", "dragover"])
    node.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  for (const name of ["dragleave", "drop"]) node.addEventListener(name, () => zone.classList.remove("over"));
  node.addEventListener("drop", async (event) => {
    event.preventDefault();
    const [item] = event.dataTransfer.items;
    const [file] = event.dataTransfer.files;
    if (!file) return;
    const handle = (await item.getAsFileSystemHandle?.().catch(() => null)) ?? null;
    choose(file, handle);
  });
  return { node, close, leave: () => reading?.abort() };
}

/** Whether a dry run failed without saying anything about the file. */
function unread({ status, message }) {
  return status === undefined || status === 401 || /takes longer than/.test(message);
}
