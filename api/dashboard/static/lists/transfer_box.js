// The upload in progress: how far it is, what went wrong, and the ways on: resume, abort, choose the file again.

import { Problem, path, post } from "../client.js";
import { freshId, h, write } from "../dom.js";
import { bytes, count, duration, number, percent } from "../format.js";
import { forgetUpload, uploadOf } from "../upload.js";
import { forgetRecord, interrupted, resumeWith } from "./interrupted_upload.js";

/** A progress bar with a text, for an upload or for parsing. */
export function meter(label) {
  const bar = h("progress", { max: 1, "aria-label": label });
  const text = h("p", { class: "quiet numbers" });
  const update = (done, whole, words) => {
    if (whole) bar.value = done / whole;
    else bar.removeAttribute("value");
    write(text, words);
  };
  return { node: h("div", { class: "transfer" }, bar, text), update };
}

/** The box. `onchange` is told whenever an upload begins, ends or stops. */
export function transferBox(campaignId, perform) {
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
  const abort = h("button", { class: "button", type: "button", "data-step": true, onclick: giveUp }, "Abort upload");
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
    write(title, titleOf(upload));
    shown.update(upload.sent, upload.size, transferText(upload));
    problem.hidden = !upload.error;
    write(problem, problemOf(upload));
    again.hidden = !["stuck", "waiting"].includes(upload.state);
    abort.hidden = upload.state === "refused";
  }

  const watch = () => {
    uploadOf(campaignId)?.addEventListener("change", draw, { signal: left.signal });
    draw();
  };
  const busy = () => Boolean(uploadOf(campaignId)?.open);
  return {
    node,
    watch,
    busy,
    leave: () => left.abort(),
    onchange: (listener) => changes.addEventListener("change", listener),
  };
}

function titleOf({ state, file }) {
  return state === "finishing" ? `Completing ${file.name}` : `Uploading ${file.name}`;
}

function problemOf({ state, error }) {
  if (!error) return "";
  return state === "waiting"
    ? `${error.message} The upload goes on by itself once the connection is back.`
    : error.message;
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

/** An upload that a reload or a closed tab has interrupted: it goes on with the same file. */
export function interruptedBox(campaignId, perform, resumed) {
  const [fileId, problemId] = [freshId("file"), freshId("problem")];
  const text = h("p", {});
  const problem = h("p", { class: "problem", role: "alert", id: problemId });
  const input = h("input", {
    id: fileId,
    type: "file",
    "aria-describedby": problemId,
    onchange: () => input.files[0] && go(input.files[0]),
  });
  const known = h("button", { class: "button primary", type: "button", onclick: () => go(null) }, "Resume upload");
  const label = h("label", { for: fileId });
  const node = h(
    "div",
    { class: "interrupted", hidden: true },
    h("p", {}, h("strong", {}, "Interrupted upload")),
    text,
    h("div", { class: "field" }, label, input),
    problem,
    h(
      "div",
      { class: "actions" },
      known,
      h("button", { class: "button", type: "button", "data-step": true, onclick: abort }, "Abort upload"),
    ),
  );
  let record = null;

  async function look() {
    record = uploadOf(campaignId) ? null : await interrupted(campaignId).catch(() => null);
    node.hidden = !record;
    if (!record) return;
    write(
      text,
      `The upload of ${record.name} (${bytes(record.size)}) was interrupted. What has arrived stays for 7 days: only the rest is sent.`,
    );
    write(label, `Choose ${record.name} again`);
    known.hidden = !record.handle;
    if (record.handle && (await record.handle.queryPermission?.({ mode: "read" })) === "granted") await go(null);
  }

  async function go(file) {
    write(problem, "");
    try {
      await resumeWith(record, file);
      node.hidden = true;
      resumed();
    } catch (error) {
      write(problem, error.message);
    }
  }

  function abort() {
    perform(async () => {
      await post(path(campaignId, "upload", "abort"), { upload_id: record.upload_id }).catch((error) => {
        if (!(error instanceof Problem)) throw error; // it is complete or gone: nothing is left to abort
      });
      await forgetRecord(campaignId);
      await look();
      return "Upload aborted; what had arrived is deleted.";
    });
  }
  return { node, look };
}
