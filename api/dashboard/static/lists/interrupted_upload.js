// Remembers unfinished uploads in this browser (IndexedDB), so that they go on after a reload. Keeps no content: the
// file's name and size, and a handle of it where the browser gives one.

import { continueUpload, uploadOf } from "../upload.js";

const STORE = "uploads";

let opened = null;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("postrider", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "campaignId" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function within(mode, step) {
  const store = (await database()).transaction(STORE, mode).objectStore(STORE);
  return new Promise((resolve, reject) => {
    const request = step(store);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * @typedef {object} UploadRecord
 * @property {string} campaignId
 * @property {string} upload_id
 * @property {string} name of the file
 * @property {number} size in bytes
 * @property {number} modified when the file was changed last, in ms
 * @property {Record<string, string>} options how to read the list
 * @property {FileSystemFileHandle|null} handle
 */

/** Remember an upload in parts that has begun. @param {UploadRecord} record */
export async function remember(record) {
  await within("readwrite", (store) => store.put(record)).catch((error) => {
    if (record.handle && error.name === "DataCloneError") return remember({ ...record, handle: null });
    return undefined; // without the record, the upload only cannot go on after a reload
  });
}

/** Forget the upload of a campaign: it is complete, or aborted. */
export async function forgetRecord(campaignId) {
  await within("readwrite", (store) => store.delete(campaignId)).catch(() => undefined);
}

/** The interrupted upload of a campaign, or null. @returns {Promise<UploadRecord|null>} */
export async function interrupted(campaignId) {
  return (await within("readonly", (store) => store.get(campaignId))) ?? null;
}

/**
 * Go on with an interrupted upload.
 *
 * @param {UploadRecord} record
 * @param {File|null} file what a person has chosen; null: the file of the handle
 * @throws {Error} it is another file, or the browser may not read it
 */
export async function resumeWith(record, file) {
  const wanted = file ?? (await readable(record.handle));
  if (wanted.name !== record.name || wanted.size !== record.size)
    throw new Error(
      `This is another file: expected ${record.name} with ${record.size} bytes, got ${wanted.name} with ${wanted.size}.`,
    );
  if (wanted.lastModified !== record.modified)
    throw new Error(`${record.name} has changed since the upload began: abort this upload, and begin anew.`);
  if (!uploadOf(record.campaignId)) continueUpload(record, wanted);
}

async function readable(handle) {
  if ((await handle.requestPermission({ mode: "read" })) !== "granted")
    throw new Error("The browser may not read the file: choose it again.");
  return handle.getFile();
}
