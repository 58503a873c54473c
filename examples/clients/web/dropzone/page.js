import Dropzone from "dropzone";

async function call(action, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`uploads/${action}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (response.status === 202) return call(action, body); // still being checked; the server has waited
  const answer = await response.json();
  return response.ok ? answer : Promise.reject(answer.detail);
}

const dropzone = new Dropzone("#upload", {
  url: ([{ grant }]) => grant.url,
  params: ([{ grant }]) => grant.fields,
  defaultHeaders: false,
  dictFileSizeUnits: { tb: "TB", gb: "GB", mb: "MB", kb: "kB", b: "bytes" },
  accept: (file, done) =>
    call("sign", { filename: file.name, type: file.type, size: file.size })
      .then((grant) => { file.grant = grant; done(); }).catch(done),
  sending: (_file, xhr) => { xhr.responseType = "blob"; }, // or Dropzone would show the bucket's XML
  success: (file) =>
    call("complete", { ticket: file.grant.ticket })
      .then(() => file.previewElement.classList.add("dz-success"))
      .catch((detail) => dropzone.emit("error", file, detail)),
});
