// The types of @postern-go/client/react, for React 18 and 19.

import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { PosternUploadListeners, PosternUploadProps } from "./element-props.js";
import type { PosternUpload } from "./postern-upload.js";
import type { Actions, Uploads, UploadsOptions } from "./uploads.js";

export type { Actions, Failed, Upload, Uploads, UploadsOptions } from "./uploads.js";

/**
 * The uploads of a component. What is on its way when it is unmounted is paused: an
 * upload in parts goes on when its file is chosen again.
 *
 *     const { uploads, progress, errors, upload } = usePostern({ endpoint: "/uploads" });
 */
export function usePostern(options: UploadsOptions): Uploads & Actions;

type ElementProps = DetailedHTMLProps<HTMLAttributes<PosternUpload>, PosternUpload> & { class?: string }
  & PosternUploadProps & PosternUploadListeners<"on">;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      /** Import "@postern-go/client/element", which defines it. React 18 sets its attributes only. */
      "postern-upload": ElementProps;
    }
  }
}
