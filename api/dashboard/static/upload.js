// Uploads a file: a small one in one request, a larger one in parts straight to the object store.
// This module shows nothing; `lists/transfer_box.js` shows the upload.

import { connection } from "./connection.js";
import { forgetRecord, remember } from "./lists/interrupted_upload.js";
import { Problem, Unreachable, credentials, get, path, post } from "./client.js";
import { askToken } from "./token.js";

/** The most that the API accepts in one request, in bytes. */
export const DIRECT_BYTES = 10 * 1024 * 1024;
/** How many parts are sent at the same time. */
const PARALLEL = 3;
/** How many times a part is sent before the upload stops and waits for a person; the first wait in between, in ms. */
const TRIES = 5;
const FIRST_WAIT_MS = 500;
/** A request that makes no progress for this long, in ms, is aborted. */
const STALL_MS = 60_000;
/** How many times the server may ask for missing parts at the end. */
const REPAIRS = 3;
/** The span over which the speed is averaged, in ms. */
const SPEED_MS = 8_000;
/** How long an upload without a connection waits until it looks again, in ms. */
const AWAY_MS = 10_000;

const under = new Map();

/** The last upload that this page began for a campaign, or undefined. It continues while other pages are shown. */
export function uploadOf(campaignId) {
  return under.get(campaignId);
}

/**
 * Begin to upload a file as the campaign's list.
 *
 * @param {string} campaignId
 * @param {File} file
 * @param {Record<string, string>} options how to read it: email_column, encoding, delimiter, sheet
 * @param {FileSystemFileHandle|null} handle with which it can be read again after a reload
 */
export function beginUpload(campaignId, file, options, handle = null) {
  return begun(new Upload(campaignId, file, options, handle));
}

/** Go on with an upload that a reload has interrupted. */
export function continueUpload({ campaignId, upload_id: id, options, handle }, file) {
  const upload = new Upload(campaignId, file, options, handle);
  upload.plan = { upload_id: id, part_size: null, parts: [] };
  return begun(upload);
}

function begun(upload) {
  under.set(upload.campaignId, upload);
  upload.run();
  return upload;
}

/** Forget an upload that has ended. */
export function forgetUpload(campaignId) {
  under.delete(campaignId);
}

window.addEventListener("beforeunload", (event) => {
  if ([...under.values()].some((upload) => upload.open)) event.preventDefault();
});

/** Uploads that wait for the connection go on once it is back. */
function goOn() {
  for (const upload of under.values()) if (upload.state === "waiting") upload.run();
}
connection.addEventListener("back", goOn);
window.addEventListener("online", goOn);

/**
 * One upload. `state`: sending, finishing, waiting (for the connection), stuck (can be resumed), done, refused, aborted. Fires "change" when the
 * state or the number of bytes sent changes.
 */
class Upload extends EventTarget {
  constructor(campaignId, file, options, handle) {
    super();
    this.campaignId = campaignId;
    this.file = file;
    this.options = options; // what is missing, the server recognises
    this.handle = handle;
    this.state = "sending";
    this.error = null;
    this.plan = null;
    this.parts = new Map(); // part number -> { sent: bytes, etag: string or null once the part has arrived }
    this.whole = 0; // bytes sent, for an upload in one request
    this.marks = [];
    this.controller = new AbortController();
  }

  get active() {
    return this.state === "sending" || this.state === "finishing";
  }

  /** Whether it has neither ended nor been refused. */
  get open() {
    return this.active || this.state === "waiting" || this.state === "stuck";
  }

  get size() {
    return this.file.size;
  }

  /** The number of bytes sent. */
  get sent() {
    let sum = this.whole;
    for (const part of this.parts.values()) sum += part.sent;
    return Math.min(sum, this.size);
  }

  /** Bytes per second, or null if it is not known yet. */
  get speed() {
    const [first, last] = [this.marks[0], this.marks.at(-1)];
    if (!first || last.at - first.at < 500) return null;
    return Math.max(0, (1000 * (last.sent - first.sent)) / (last.at - first.at));
  }

  /** The numbers of all parts and of those that have arrived. */
  get counts() {
    const arrived = [...this.parts.values()].filter((part) => part.etag !== undefined).length;
    return { parts: this.plan?.parts.length ?? 1, arrived };
  }

  /** Send the parts that have not arrived; also resumes a stuck upload. */
  async run() {
    this.controller = new AbortController();
    for (const [number, part] of this.parts) if (part.etag === undefined) this.parts.delete(number);
    this.become("sending");
    try {
      await (this.size <= DIRECT_BYTES ? this.sendWhole() : this.sendParts());
      this.become("done");
      forgetRecord(this.campaignId);
    } catch (error) {
      this.controller.abort();
      if (this.state === "aborted") return;
      this.become(Upload.stateAfter(error), error);
      if (this.state === "waiting") setTimeout(() => this.state === "waiting" && this.run(), AWAY_MS);
    }
  }

  /** Abort the upload; the server deletes what has arrived. */
  async abort() {
    this.become("aborted");
    this.controller.abort();
    forgetRecord(this.campaignId);
    if (this.plan) await post(path(this.campaignId, "upload", "abort"), { upload_id: this.plan.upload_id });
  }

  /** It goes on by itself once the connection is back; a person looks at other errors; what is refused stays so. */
  static stateAfter(error) {
    if (error instanceof Unreachable || error.away || error.status === 503) return "waiting";
    const retriable = !(error instanceof Problem) || error.status >= 500 || Boolean(error.body.missing);
    return retriable ? "stuck" : "refused";
  }

  become(state, error = null) {
    this.state = state;
    this.error = error;
    if (state === "sending") this.marks = [];
    this.dispatchEvent(new Event("change"));
  }

  moved() {
    const now = performance.now();
    this.marks.push({ at: now, sent: this.sent });
    while (this.marks.length > 2 && now - this.marks[0].at > SPEED_MS) this.marks.shift();
    this.dispatchEvent(new Event("change"));
  }

  async sendWhole() {
    const query = new URLSearchParams({ filename: this.file.name.slice(0, 255), ...this.options });
    for (;;) {
      const answer = await this.put(
        "POST",
        `${path(this.campaignId, "upload")}?${query}`,
        this.file,
        { "Content-Type": "text/csv", ...credentials() },
        (sent) => {
          this.whole = sent;
        },
      );
      if (answer.status === 202) return;
      if (answer.status !== 401) throw problemOf(answer);
      await askToken(true);
    }
  }

  async sendParts() {
    if (this.plan) await this.renewPlan();
    this.plan ??= await post(path(this.campaignId, "upload", "init"), {
      size: this.size,
      filename: this.file.name.slice(0, 255),
    });
    this.note();
    for (let repair = 0; ; repair += 1) {
      await this.sendMissing();
      this.become("finishing");
      try {
        return await this.complete();
      } catch (error) {
        const wanted = [...(error.body?.missing ?? []), ...(error.body?.wrong ?? [])];
        if (!wanted.length || repair >= REPAIRS) throw error;
        for (const number of wanted) this.parts.delete(number);
        this.become("sending");
      }
    }
  }

  /** Send the parts that have not arrived. If their URLs are refused, do it once more with fresh ones. */
  async sendMissing(fresh = false) {
    const left = this.plan.parts.filter((part) => this.parts.get(part.part_number)?.etag === undefined);
    const sent = await Promise.allSettled(Array.from({ length: PARALLEL }, () => this.sendFrom(left)));
    const failed = sent.find(({ status }) => status === "rejected");
    if (!failed) return;
    if (failed.reason.refused !== true || fresh) throw failed.reason;
    await this.renewPlan();
    if (!this.plan) throw failed.reason;
    await this.sendMissing(true);
  }

  /** Remember it, so that it can go on after a reload. */
  note() {
    remember({
      campaignId: this.campaignId,
      upload_id: this.plan.upload_id,
      name: this.file.name,
      size: this.size,
      modified: this.file.lastModified,
      options: this.options,
      handle: this.handle,
    });
  }

  /** Fresh URLs for the missing parts: the first ones may have expired. A lost upload begins anew. */
  async renewPlan() {
    try {
      const { parts, ...fresh } = await get(path(this.campaignId, "uploads", this.plan.upload_id));
      Object.assign(this.plan, fresh, { parts });
      for (const { part_number: number, received, size } of parts) {
        const arrived = this.parts.get(number)?.etag !== undefined;
        if (!received) this.parts.delete(number);
        else if (!arrived) this.parts.set(number, { sent: size, etag: null });
      }
    } catch (error) {
      if (error.status !== 404) throw error;
      this.plan = null;
      this.parts.clear();
    }
  }

  async complete() {
    // The server lists the parts itself. The ETags are a second check, if the store lets the browser read them.
    const parts = [...this.parts].map(([number, part]) => ({ part_number: number, etag: part.etag }));
    const known = parts.every((part) => part.etag) ? parts.sort((a, b) => a.part_number - b.part_number) : [];
    await post(
      path(this.campaignId, "upload", "complete"),
      { upload_id: this.plan.upload_id, parts: known, ...this.options },
      { timeoutMs: 120_000 },
    );
  }

  async sendFrom(queue) {
    for (let part = queue.shift(); part; part = queue.shift()) {
      this.controller.signal.throwIfAborted();
      try {
        await this.sendPart(part);
      } catch (error) {
        queue.length = 0; // the others stop after their part
        throw error;
      }
    }
  }

  async sendPart({ part_number: number, url }) {
    const start = (number - 1) * this.plan.part_size;
    const piece = this.file.slice(start, start + this.plan.part_size);
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.put("PUT", url, piece, {}, (sent) => this.parts.set(number, { sent })).catch(
        (error) => error,
      );
      this.controller.signal.throwIfAborted();
      if (answer.status === 200) {
        this.parts.set(number, { sent: piece.size, etag: answer.getResponseHeader("ETag") });
        this.moved();
        return;
      }
      this.parts.delete(number);
      this.moved();
      if (attempt === TRIES || isFinal(answer.status)) {
        const away = !answer.status || answer.status >= 500;
        throw Object.assign(new Error(this.partError(number, answer)), { away, refused: answer.status === 403 });
      }
      await this.wait(FIRST_WAIT_MS * 2 ** (attempt - 1));
    }
  }

  partError(number, answer) {
    const why = answer.status
      ? `the object store answered ${answer.status}`
      : "the object store cannot be reached from this browser";
    const late =
      Date.parse(this.plan.expires_at) < Date.now() ? " Its presigned URLs have expired: resume the upload." : "";
    return `Part ${number} of ${this.plan.parts.length} was not uploaded: ${why}.${late}`;
  }

  wait(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.controller.signal.addEventListener(
        "abort",
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }

  /** Send with XMLHttpRequest, since fetch does not report progress. Resolves to the request, whatever its status. */
  put(method, address, body, headers, onProgress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const stop = () => request.abort();
      let stall;
      const alive = () => {
        clearTimeout(stall);
        stall = setTimeout(stop, STALL_MS);
      };
      request.open(method, address);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.addEventListener("progress", (event) => {
        alive();
        onProgress(event.loaded);
        this.moved();
      });
      request.addEventListener("loadend", () => {
        clearTimeout(stall);
        this.controller.signal.removeEventListener("abort", stop);
        if (request.status) resolve(request);
        else reject(new Unreachable());
      });
      this.controller.signal.addEventListener("abort", stop);
      alive();
      request.send(body);
    });
  }
}

/** Whether a retry of the same request would fail again, as with an expired URL. */
function isFinal(status) {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

function problemOf(request) {
  try {
    return new Problem(request.status, JSON.parse(request.responseText));
  } catch {
    return new Problem(request.status, {});
  }
}
