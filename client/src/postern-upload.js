// Defines <postern-upload>; postern-upload.d.ts says what is exported.

import { PosternUpload } from "./element.js";

export { PosternUpload };
export { texts } from "./words.js";

const registry = globalThis.customElements; // servers have none
if (!registry?.get("postern-upload")) registry?.define("postern-upload", PosternUpload);
