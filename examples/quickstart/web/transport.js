// One upload: ask the server for a grant, then post the file to the bucket.
// What the page knows about Postern and S3 is in this file.

// UploadError says who refused (from) and why (code). The codes of the server are
// those of its problem documents, the codes of the bucket are S3's, and
// "unreachable" is for either. limits holds max_size, min_size and allowed_types,
// where the server named them.
export class UploadError extends Error {
  constructor(from, code, { detail = "", status = 0, limits = {}, cause } = {}) {
    super(detail || code, { cause });
    this.name = "UploadError";
    this.from = from;
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.limits = limits;
  }
}

// upload resolves to { key, location, etag }. It rejects with an UploadError, or
// with the signal's reason. onProgress gets a number from 0 to 1.
export async function upload(file, { endpoint, headers = {}, signal, onProgress = () => {} }) {
  signal?.throwIfAborted();
  const grant = await sign(file, { endpoint, headers, signal });
  const etag = await post(grant, file, { signal, onProgress });
  return { key: grant.key, location: grant.location, etag };
}

async function sign(file, { endpoint, headers, signal }) {
  let response, body;
  try {
    response = await fetch(`${endpoint}/sign`, {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify({ filename: file.name, type: file.type, size: file.size }),
      signal,
    });
    body = await response.text();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new UploadError("server", "unreachable", { cause });
  }
  const answer = parseJSON(body);
  if (response.ok && answer?.mode === "post") return answer;
  throw new UploadError("server", answer?.code ?? "unexpected", {
    detail: answer?.detail,
    status: response.status,
    limits: answer ?? {},
  });
}

function post(grant, file, { signal, onProgress }) {
  const form = new FormData();
  for (const [name, value] of Object.entries(grant.fields)) form.append(name, value);
  form.append("file", file); // S3 ignores every field after the file

  return new Promise((resolve, reject) => {
    // fetch cannot tell how much of a body has been sent.
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    const settle = (settled, value) => {
      signal?.removeEventListener("abort", abort);
      settled(value);
    };
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) {
        onProgress(1);
        settle(resolve, request.getResponseHeader("ETag"));
      } else {
        settle(reject, bucketError(request));
      }
    });
    request.addEventListener("error", () => settle(reject, new UploadError("bucket", "unreachable")));
    request.addEventListener("abort", () => settle(reject, signal.reason));
    signal?.addEventListener("abort", abort);

    request.open(grant.method, grant.url);
    request.send(form);
    if (signal?.aborted) abort();
  });
}

// S3 answers with <Error><Code>EntityTooLarge</Code><Message>…</Message></Error>.
function bucketError(request) {
  const xml = new DOMParser().parseFromString(request.responseText, "application/xml");
  const text = (name) => xml.querySelector(`Error > ${name}`)?.textContent ?? "";
  return new UploadError("bucket", text("Code") || "unexpected", {
    detail: text("Message"),
    status: request.status,
  });
}

function parseJSON(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
