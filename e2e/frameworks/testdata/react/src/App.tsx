import type { PosternUpload } from "@postern-go/client/element";
import "@postern-go/client/element";
import { usePostern } from "@postern-go/client/react";
import { useEffect, useState } from "react";

const headers = { "X-User": "ada" };

/** Where a server has rendered an element, React leaves its properties to the page. */
const signIn = (element: PosternUpload | null) => {
  if (element) element.headers = headers;
};

export function App() {
  const [shown, setShown] = useState(true);
  const [keys, setKeys] = useState<string[]>([]);
  const [mounted, setMounted] = useState(false);
  useEffect(() => setMounted(true), []);
  return (
    <main data-mounted={mounted}>
      <button id="toggle" onClick={() => setShown(!shown)}>Show or hide</button>
      {shown && <Files />}
      <postern-upload
        multiple
        max-size={20_000_000}
        headers={headers}
        ref={signIn}
        onpostern-complete={({ detail }) => setKeys((before) => [...before, detail.key])}
      />
      <output id="keys">{keys.join(" ")}</output>
    </main>
  );
}

function Files() {
  const { uploads, progress, uploading, errors, upload, pause, resume, cancel, clear } = usePostern({ endpoint: "/uploads", headers });
  const [received, setReceived] = useState(0);
  return (
    <section>
      <input id="files" type="file" multiple onChange={async ({ target }) => {
        const receipts = await upload(target.files);
        setReceived((before) => before + receipts.length);
      }} />
      <progress id="all" value={progress} />
      <output id="received">{received}</output>
      <output id="uploading">{String(uploading)}</output>
      <button id="clear" onClick={() => clear()}>Clear</button>
      <ul>
        {uploads.map(({ id, file, status, loaded, receipt }) => (
          <li key={id} data-file={file.name} data-status={status} data-loaded={loaded} data-key={receipt?.key}>
            {file.name}
            <button className="pause" onClick={() => pause(id)}>Pause</button>
            <button className="resume" onClick={() => resume(id)}>Resume</button>
            <button className="cancel" onClick={() => cancel(id)}>Cancel</button>
          </li>
        ))}
      </ul>
      {errors.map(({ id, file, error }) => <p key={id} role="alert">{file.name}: {error.message}</p>)}
    </section>
  );
}
