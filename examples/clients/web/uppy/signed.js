// Uppy without Companion: the grant of a single upload is what signRequest may return,
// and the page completes.

const tickets = new Map();

// The server names the keys. Uppy's own tells which file is meant.
export const keyOf = (file) => file.id;

export const signRequest = (uppy, endpoint) => async ({ key: id }) => {
  const { name: filename, type, size } = uppy.getFile(id);
  const grant = await call(`${endpoint}/sign`, { filename, type, size });
  tickets.set(id, grant.ticket);
  return grant;
};

export const complete = (uppy, endpoint) => (ids) =>
  Promise.all(ids.map(async (id) => {
    const file = uppy.getFile(id);
    if (!file || file.error) return; // removed, or not there
    try {
      const { location } = await call(`${endpoint}/complete`, { ticket: tickets.get(id) });
      uppy.setFileState(id, { uploadURL: location });
    } catch (error) {
      uppy.emit("upload-error", file, error);
    }
  }));

async function call(url, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  if (response.status !== 202) return answer;
  await new Promise((done) => setTimeout(done, 2000)); // a large file is still being checked
  return call(url, body);
}
