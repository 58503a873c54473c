import type { PosternUpload, PosternUploadEventMap } from "@postern-go/client/element";
import "@postern-go/client/element";
import { usePostern } from "@postern-go/client/react";
import { useEffect, useRef, useState } from "react";

const headers = { "X-User": "ada" };

/** React 18 sets attributes of an element: its properties and listeners are the page's to set. */
export function App() {
  const element = useRef<PosternUpload>(null);
  const [keys, setKeys] = useState<string[]>([]);
  const [mounted, setMounted] = useState(false);
  useEffect(() => {
    const { current } = element;
    if (!current) return;
    const note = ({ detail }: PosternUploadEventMap["postern-complete"]) => setKeys((before) => [...before, detail.key]);
    current.headers = headers;
    current.addEventListener("postern-complete", note);
    setMounted(true);
    return () => current.removeEventListener("postern-complete", note);
  }, []);
  const { uploads, upload } = usePostern({ endpoint: "/uploads", headers });
  return (
    <main data-mounted={mounted}>
      <input id="files" type="file" multiple onChange={({ target }) => upload(target.files)} />
      <ul>
        {uploads.map(({ id, file, status, receipt }) => (
          <li key={id} data-file={file.name} data-status={status} data-key={receipt?.key}>{file.name}</li>
        ))}
      </ul>
      <postern-upload multiple max-size={20_000_000} ref={element} />
      <output id="keys">{keys.join(" ")}</output>
    </main>
  );
}
