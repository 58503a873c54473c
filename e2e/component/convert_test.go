package component_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
)

func TestImagesBecomeAnotherType(t *testing.T) {
	t.Parallel()
	s := serveWith(t, `<postern-upload multiple convert="image/jpeg" resize="40"></postern-upload>`, setup{types: "image/jpeg"})
	e := s.open()
	e.Wait(e.hint() + `.includes("image/jpeg")`)
	browser.Eval[bool](e.Page, `(async (element) => {
		element.metadata = async (file) => {
			const context = document.createElement("canvas").getContext("2d");
			const image = await createImageBitmap(file);
			context.drawImage(image, 0, 0);
			window.drawn = [image.width, image.height, ...context.getImageData(1, 1, 1, 1).data];
			return {};
		};
		const canvas = Object.assign(document.createElement("canvas"), { width: 80, height: 60 });
		canvas.getContext("2d").fillRect(40, 30, 40, 30); // and nothing beside it
		const blob = await new Promise((done) => canvas.toBlob(done));
		element.add([
			new File([blob], "sea.side.png", { type: "image/png", lastModified: 7 }),
			new File(["no image"], "no.png", { type: "image/png" }),
			new File(["GIF89a"], "moves.gif", { type: "image/gif" }),
		]);
		return true;
	})(`+e.JS()+`)`)
	require.Equal(t, "Files of this kind are not accepted here, only image/jpeg, plain text, and PDF.", e.Failure("no.png"))
	require.Equal(t, e.Says("no.png"), e.Failure("moves.gif"))
	e.WaitFor("sea.side.png", "done")
	require.Equal(t, []int{40, 30, 255, 255, 255, 255}, browser.Eval[[]int](e.Page, `drawn`), "what was transparent is white")
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.receipts, 1)
	require.Equal(t, "sea.side.jpg", s.receipts[0].Filename)
	require.Equal(t, "image/jpeg", s.receipts[0].Type)
}
