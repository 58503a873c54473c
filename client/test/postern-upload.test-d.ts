// The compiler compares what postern-upload.d.ts promises with what there is: a member
// that is missing on either side, or of another type, is an error here.

import type { PosternUploadProps } from "../element-props.js";
import type * as promised from "../postern-upload.js";
import type * as built from "../src/postern-upload.js";
import type { Attributes } from "../src/attributes.js";
import { texts } from "../postern-upload.js";
import type { Stored } from "../postern.js";
import type { Differences, None, Values } from "./same.js";

/** What browsers call, and pages do not. */
type Lifecycle =
  | "connectedCallback" | "disconnectedCallback" | "attributeChangedCallback"
  | "formDisabledCallback" | "formResetCallback" | "formStateRestoreCallback";

/** The types narrow these for the element's own events; the code inherits them. */
type Inherited = "addEventListener" | "removeEventListener";

export type Exports = None<Exclude<Differences<Values<typeof promised>, Values<typeof built>>, "PosternUpload">>;
export type Members = None<Exclude<Differences<promised.PosternUpload, built.PosternUpload>, Lifecycle | Inherited>>;
export type Statics = None<Exclude<
  Differences<typeof promised.PosternUpload, typeof built.PosternUpload>, "prototype" | "observedAttributes"
>>;

/** What is an attribute may be written in templates. */
export type Templates = None<Exclude<keyof Attributes, keyof HTMLElement | keyof PosternUploadProps>>;

// As people use it.
export function use(element: HTMLElementTagNameMap["postern-upload"]): string[] {
  element.metadata = ({ name }) => ({ album: name });
  element.headers = undefined;
  element.texts = null;
  const note = ({ detail }: promised.PosternUploadEventMap["postern-complete"]) => console.log(detail.key);
  element.addEventListener("postern-complete", note);
  element.removeEventListener("postern-complete", note);
  element.addEventListener("postern-complete", ({ detail }) => {
    const receipt: Stored = detail;
    element.dismiss(receipt.key);
  });
  element.addEventListener("postern-error", ({ detail: { error, message } }) => [error.name, message.trim()]);
  texts.de = { done: "Fertig" };
  // @ts-expect-error a form control says what it is itself
  element.type = "file";
  // @ts-expect-error the value is made of receipts
  element.value = [];
  return element.value;
}
