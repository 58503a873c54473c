// The whole client: ask for a grant, send the form to the bucket, complete.
async function upload(file) {
  const grant = await call("/uploads/sign", { filename: file.name, type: file.type, size: file.size });
  const form = new FormData();
  for (const [name, value] of Object.entries(grant.fields)) form.append(name, value);
  form.append("file", file); // last: S3 ignores what follows it
  const sent = await fetch(grant.url, { method: grant.method, body: form });
  if (!sent.ok) throw new Error(`The storage refused the file (${sent.status}).`);
  return call("/uploads/complete", { ticket: grant.ticket });
}

async function call(url, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  if (response.status !== 202) return answer;
  await new Promise((done) => setTimeout(done, 2000)); // a large file is still being checked
  return call(url, body);
}

// What follows is the page.
const status = document.querySelector("[data-status]");

document.querySelector("#upload").addEventListener("submit", async (event) => {
  event.preventDefault();
  const show = (state, text) => Object.assign(status, { textContent: text }).setAttribute("data-status", state);
  show("busy", "Uploading…");
  try {
    const receipt = await upload(event.target.file.files[0]);
    show("done", `Stored as ${receipt.key}`);
  } catch (error) {
    show("failed", error.message);
  }
});
