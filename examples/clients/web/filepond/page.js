import * as FilePond from "filepond";
import { upload } from "/client/postern.js";

const input = document.querySelector("#files");

FilePond.create(input, {
  credits: false,
  labelFileSizeKilobytes: "kB",
  labelFileProcessingError: ({ body }) => body,
  server: {
    process(_name, file, _metadata, load, error, progress, abort) {
      const controller = new AbortController();
      upload(file, {
        endpoint: "/large",
        scope: input.dataset.tenant,
        signal: controller.signal,
        onProgress: ({ loaded, total }) => progress(true, loaded, total),
      }).then(({ key }) => load(key), ({ detail, code }) => controller.signal.aborted || error(detail || code));
      return { abort: () => { controller.abort(); abort(); } };
    },
    revert: null,
  },
});
