// What the page says to a person.

const units = ["bytes", "KB", "MB", "GB", "TB"];

export function formatSize(bytes) {
  let unit = 0;
  let n = bytes;
  while (unit < units.length - 1 && n >= 1023.5) {
    n /= 1024;
    unit++;
  }
  const digits = unit > 0 && n < 99.95 ? 1 : 0;
  const number = n.toLocaleString("en", { maximumFractionDigits: digits });
  return `${number} ${bytes === 1 ? "byte" : units[unit]}`;
}

// formatTime tells when something was: the hour today, else the day.
export function formatTime(ms, now = new Date()) {
  const time = new Date(ms);
  const today = time.toDateString() === now.toDateString();
  const hour = time.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = time.toLocaleDateString("en", { day: "numeric", month: "long", year: "numeric" });
  return today ? `Today, ${hour}` : day;
}

const typeNames = {
  "image/*": "images",
  "video/*": "videos",
  "audio/*": "audio files",
  "text/*": "text files",
  "text/plain": "plain text",
  "application/pdf": "PDF",
  "application/zip": "zip files",
};

// formatTypes turns ["image/*", "text/plain"] into "images and plain text".
export function formatTypes(patterns) {
  const names = patterns.map((pattern) => typeNames[pattern] ?? pattern);
  return new Intl.ListFormat("en").format(names);
}

// explain gives the words for a failed upload, and whether trying the same file
// again can help.
export function explain(error, file) {
  if (error.from === "server") return explainServer(error, file);
  if (error.from === "bucket") return explainBucket(error);
  if (error.code === "file_unreadable") {
    return { text: "This file can’t be read any more. Has it been moved or changed? Choose it again.", retry: false };
  }
  return { text: "Something went wrong on this page. Reload it and try again.", retry: true };
}

function explainServer({ code, detail, status, limits }, file) {
  switch (code) {
    case "network":
      return { text: "The server can’t be reached. Check your connection and try again.", retry: true };
    case "size_too_large":
      if (limits.max_size) return { text: tooLarge(file.size, limits.max_size), retry: false };
      break;
    case "size_too_small":
      if (file.size === 0) return { text: "This file is empty.", retry: false };
      if (limits.min_size) {
        return { text: `Too small: a file must have at least ${formatSize(limits.min_size)}.`, retry: false };
      }
      break;
    case "type_not_allowed":
      if (limits.allowed_types?.length) {
        const kind = file.type ? `“${file.type}” files are` : "Files of this kind are";
        return { text: `${kind} not accepted here, only ${formatTypes(limits.allowed_types)}.`, retry: false };
      }
      break;
    case "unauthenticated":
      return { text: "You aren’t signed in, or your session has ended. Sign in and try again.", retry: true };
  }
  const retry = status === 401 || status === 403 || status === 429 || status >= 500;
  return { text: detail || "The server’s answer makes no sense. Try again in a moment.", retry };
}

function tooLarge(size, max) {
  const [is, most] = [formatSize(size), formatSize(max)];
  if (is === most) return `Too large: just above the limit of ${most}.`;
  return `Too large: this file has ${is}, and the limit is ${most}.`;
}

function explainBucket({ code, detail }) {
  switch (code) {
    case "network":
      return {
        text: navigator.onLine
          ? "The upload was interrupted: the storage can’t be reached, or doesn’t accept uploads from this page."
          : "You are offline. Try again when you are connected.",
        retry: true,
      };
    case "EntityTooLarge":
      return { text: "The storage refused the file: it is larger than announced. Has it changed since?", retry: true };
    case "EntityTooSmall":
      return { text: "The storage refused the file: it is smaller than announced. Has it changed since?", retry: true };
    case "AccessDenied":
      return /expired/i.test(detail)
        ? { text: "The permission for this upload has expired. Try again.", retry: true }
        : { text: "The storage refused the file: this upload is not permitted.", retry: true };
    case "NoSuchBucket":
      return { text: "The storage for these files doesn’t exist.", retry: true };
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
    case "ExpiredToken":
    case "InvalidToken":
      return { text: "The storage doesn’t accept the permission that the server gave. Try again in a moment.", retry: true };
    case "RequestTimeout":
      return { text: "The connection was too slow and the storage gave up. Try again.", retry: true };
    case "InternalError":
    case "ServiceUnavailable":
    case "SlowDown":
      return { text: "The storage is busy. Try again in a moment.", retry: true };
    default:
      return { text: `The storage refused the file (${code}). Try again.`, retry: true };
  }
}
