// Defines <postern-upload>; postern-upload.d.ts says what is exported.

import { PosternUpload } from "./element.js";

export { PosternUpload };
export { texts } from "./words.js";

if (!customElements.get("postern-upload")) customElements.define("postern-upload", PosternUpload);
