package component_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
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

// movingPNG is a picture that blinks (PNG, third edition, section 4.9), behind a comment.
func movingPNG(t *testing.T, comment int) []byte {
	t.Helper()
	const side = 90
	var still bytes.Buffer
	require.NoError(t, png.Encode(&still, image.NewGray(image.Rect(0, 0, side, side))))
	const begins = 8 + 25 // what all files begin with, and IHDR
	head, data := still.Bytes()[:begins], still.Bytes()[begins:]
	data = data[8 : 8+binary.BigEndian.Uint32(data)] // of IDAT
	var b bytes.Buffer
	b.Write(head)
	chunk := func(kind string, data ...byte) {
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
		body := append([]byte(kind), data...)
		b.Write(body)
		b.Write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	}
	frame := func(number byte) {
		chunk("fcTL", 0, 0, 0, number, 0, 0, 0, side, 0, 0, 0, side, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0)
	}
	chunk("tEXt", append([]byte("Comment\x00"), bytes.Repeat([]byte("x"), comment)...)...)
	chunk("acTL", 0, 0, 0, 2, 0, 0, 0, 0)
	frame(0)
	chunk("IDAT", data...)
	frame(1)
	chunk("fdAT", append([]byte{0, 0, 0, 2}, data...)...)
	chunk("IEND")
	return b.Bytes()
}

func TestImagesThatMoveGoUpAsTheyAre(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple resize="40"></postern-upload>`)
	e := s.open()
	f := fixture.Write(t, "blinks.png", movingPNG(t, 5000))
	e.Pick(f)
	e.WaitFor(f.Name, "done")
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.receipts, 1)
	require.EqualValues(t, len(f.Bytes), s.receipts[0].Size)
}

func TestFewImagesAreInMemoryAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple resize="40"></postern-upload>`)
	e := s.open()
	browser.Eval[bool](e.Page, `(async (element) => {
		const { createImageBitmap } = window;
		let open = 0;
		window.most = window.all = 0;
		window.createImageBitmap = async (...given) => {
			if (window.enough) element.clear();
			all++;
			most = Math.max(most, ++open);
			const image = await createImageBitmap(...given);
			const { close } = image;
			image.close = () => { open--; close.call(image); };
			return image;
		};
		const canvas = Object.assign(document.createElement("canvas"), { width: 800, height: 600 });
		canvas.getContext("2d").fillRect(40, 30, 40, 30);
		const blob = await new Promise((done) => canvas.toBlob(done));
		window.add = (name, count) => element.add(Array.from({ length: count }, (_, i) => new File([blob], name + i + ".png", { type: "image/png" })));
		add("a", 20);
		return true;
	})(`+e.JS()+`)`)
	e.Wait(e.JS() + `.receipts.length === 20`)
	require.Equal(t, 20, browser.Eval[int](e.Page, `all`))
	require.LessOrEqual(t, browser.Eval[int](e.Page, `most`), 3)

	t.Run("and none for nothing", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(window.enough = true, add("b", 8), true)`)
		e.Wait(e.JS() + `.receipts.length === 0`)
		browser.Eval[bool](e.Page, `(window.enough = false, add("c", 1), true)`)
		e.Wait(e.JS() + `.receipts.length === 1`)
		require.LessOrEqual(t, browser.Eval[int](e.Page, `all`), 20+3+1, "what was taken away is not drawn")
	})
}
