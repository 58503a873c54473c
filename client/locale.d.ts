// The types of @postern-go/client/locales/de and the like. The element loads them by
// itself; who imports one, to have it at once, sets texts.de.

import type { Texts } from "./postern-upload.js";

declare const texts: Texts;
export default texts;
