// What a file is, by its first bytes, as far as that matters before it is read: empty, no list, or packed.

/** How much of a large list is read before the upload, in bytes: less than one request may have. */
const SAMPLE_BYTES = 8 * 1024 * 1024;

/** First bytes (Latin-1) of files that are no list, and what they are. */
const NO_LISTS = [
  ["\x89PNG", "a PNG image"],
  ["\xff\xd8\xff", "a JPEG image"],
  ["GIF8", "a GIF image"],
  ["%PDF", "a PDF document"],
  ["\xd0\xcf\x11\xe0", "an old Excel file (XLS): save it as XLSX or CSV"],
  ["Rar!", "a RAR archive: unpack it first"],
  ["7z\xbc\xaf", "a 7z archive: unpack it first"],
];
const PACKED = ["PK\x03\x04", "\x1f\x8b"];

/**
 * @param {File} file
 * @returns {Promise<{problem: string|null, packed: boolean}>} why it cannot be a list, or null; whether it is packed,
 *   so that no part of it can be read alone
 */
export async function fileKind(file) {
  if (!file.size) return { problem: `${file.name} is empty.`, packed: false };
  const start = [...new Uint8Array(await file.slice(0, 8).arrayBuffer())]
    .map((byte) => String.fromCharCode(byte))
    .join("");
  const found = NO_LISTS.find(([mark]) => start.startsWith(mark));
  const problem = found ? `${file.name} is ${found[1]}, not a list.` : null;
  return { problem, packed: PACKED.some((mark) => start.startsWith(mark)) };
}

/** The first bytes of a large text, up to the end of a line, so that no row is cut. */
export async function firstLines(file) {
  const piece = file.slice(0, SAMPLE_BYTES);
  const bytes = new Uint8Array(await piece.arrayBuffer());
  const end = bytes.lastIndexOf(10);
  return end > 0 ? piece.slice(0, end + 1) : piece;
}
