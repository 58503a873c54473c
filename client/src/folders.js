// The files of what was dropped, and those of folders in it.

export const MOST = 10_000; // files of one drop
const HIDDEN = [".DS_Store", "Thumbs.db", "desktop.ini"]; // what systems leave in folders

/** The folders in which files were. @type {WeakMap<File, string>} */
const folders = new WeakMap();

/** The folders in which a file was, "holiday/2026", or "". @param {File} file */
export function pathOf(file) {
  const { webkitRelativePath: path = "" } = file;
  return folders.get(file) ?? path.split("/").slice(0, -1).join("/");
}

// What a browser opens in place of the page: files, and links, which have a name of their
// own in Firefox. WebKitGTK says links of files, and hands none over (CVE-2025-13947).
const OPENED = ["Files", "text/uri-list", "text/x-moz-url"];

/** Whether what is dragged must not be the browser's to open. @param {DataTransfer} transfer */
export const isOpened = ({ types }) => types.some((type) => OPENED.includes(type));

/**
 * What was dropped or pasted, which must be asked at once: it is gone after the event.
 *
 * @param {DataTransfer} transfer
 * @param {(file: File, item: DataTransferItem) => void} [onFile]
 */
export function dropped(transfer, onFile) {
  /** @type {File[]} */
  const files = [];
  /** @type {FileSystemDirectoryEntry[]} */
  const directories = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry();
    const file = entry?.isDirectory ? null : item.getAsFile();
    if (file) {
      files.push(file);
      onFile?.(file, item);
    } else if (entry) directories.push(/** @type {FileSystemDirectoryEntry} */ (entry));
  }
  return { files, directories };
}

/**
 * The files of folders and the folders in them. What can't be read is left out. Of more
 * than ten thousand, left has what comes after those: files, and folders unopened.
 *
 * @param {FileSystemDirectoryEntry[]} directories
 */
export async function filesIn(directories) {
  /** @type {File[]} */
  const files = [];
  /** @type {FileSystemEntry[]} */
  const stack = [...directories].reverse();
  while (stack.length && files.length < MOST) {
    const entry = /** @type {FileSystemEntry} */ (stack.pop());
    if (entry.isDirectory) {
      const inside = await entriesOf(/** @type {FileSystemDirectoryEntry} */ (entry));
      stack.push(...inside.sort((a, b) => (a.name < b.name ? 1 : -1)));
    } else if (!HIDDEN.includes(entry.name)) {
      const file = await fileOf(/** @type {FileSystemFileEntry} */ (entry));
      if (file) files.push(file);
    }
  }
  return { files, left: stack.reverse().map(({ name }) => name) };
}

/** @param {FileSystemFileEntry} entry @returns {Promise<File | null>} */
async function fileOf(entry) {
  try {
    const file = await new Promise((/** @type {(file: File) => void} */ resolve, reject) => entry.file(resolve, reject));
    folders.set(file, entry.fullPath.split("/").slice(1, -1).join("/"));
    return file;
  } catch {
    return null;
  }
}

// A reader gives some at a time, and none at the end.
/** @param {FileSystemDirectoryEntry} directory */
async function entriesOf(directory) {
  const reader = directory.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  try {
    for (;;) {
      const some = await new Promise((/** @type {(entries: FileSystemEntry[]) => void} */ resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return all;
      all.push(...some);
    }
  } catch {
    return all;
  }
}
