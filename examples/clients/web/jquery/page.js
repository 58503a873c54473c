"use strict";

$("#file").fileupload({
  paramName: "file",
  dataType: "xml", // what S3 answers
  add(_event, data) {
    const [{ name, type }] = data.files;
    show("busy", "Uploading…");
    $.getJSON("credentials", { filename: name, content_type: type })
      .done((answer) => {
        data.url = answer.endpoint_url;
        data.formData = answer.params;
        const request = data.submit();
        $("[data-cancel]").off().on("click", () => request.abort());
      })
      .fail(({ responseJSON }) => show("failed", responseJSON?.detail ?? "The server does not answer."));
  },
  progress(_event, { loaded, total }) {
    $("progress").val(total ? loaded / total : 1);
  },
  done(_event, { jqXHR }) {
    show("done", `Stored at ${$(jqXHR.responseXML).find("Location").text()}`);
  },
  fail(_event, { errorThrown }) {
    if (errorThrown === "abort") show("cancelled", "Cancelled.");
    else show("failed", `The upload failed: ${errorThrown}`);
  },
});

function show(state, text) {
  $("[data-status]").attr("data-status", state).text(text);
  $("[data-cancel]").prop("hidden", state !== "busy");
}
