// The types of @postern-go/client/vue, for Vue 3.5.

import type { AllowedComponentProps, ComponentCustomProps, ComputedRef, HTMLAttributes, MaybeRefOrGetter, VNodeProps } from "vue";
import type { PosternUploadProps } from "./element-props.js";
import type { PosternUpload, PosternUploadEventMap } from "./postern-upload.js";
import type { Actions, Uploads, UploadsOptions } from "./uploads.js";

export type { Actions, Failed, Upload, Uploads, UploadsOptions } from "./uploads.js";

/**
 * The uploads of a component, or of another effect scope. What is on its way when it
 * ends is paused: an upload in parts goes on when its file is chosen again.
 *
 *     const { uploads, progress, errors, upload } = usePostern({ endpoint: "/uploads" });
 */
export function usePostern(options: MaybeRefOrGetter<UploadsOptions>): { [K in keyof Uploads]: ComputedRef<Uploads[K]> } & Actions;

type Camel<Name extends string> = Name extends `${infer First}-${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : Name;

/** As templates know @postern-complete. */
type Listeners = {
  [Type in keyof PosternUploadEventMap as `on${Capitalize<Camel<Type>>}`]?: (event: PosternUploadEventMap[Type]) => unknown;
};

declare module "vue" {
  interface GlobalComponents {
    /** Import "@postern-go/client/element", which defines it. */
    "postern-upload": new () => PosternUpload & {
      /** @deprecated for templates only */
      $props: VNodeProps & AllowedComponentProps & ComponentCustomProps & HTMLAttributes & PosternUploadProps & Listeners;
    };
  }
}
