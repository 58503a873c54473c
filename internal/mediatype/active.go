package mediatype

import "strings"

// Active reports whether a browser that opens an object of this type may run
// what the uploader wrote: markup, scripts under all their names (HTML Standard,
// MIME Sniffing Standard §4.6), and containers of them.
func Active(essence string) bool {
	return active[essence] ||
		strings.HasSuffix(essence, "+xml") ||
		strings.HasPrefix(essence, "multipart/") ||
		strings.HasPrefix(essence, "message/") ||
		strings.HasPrefix(essence, "text/javascript1.")
}

var active = map[string]bool{
	"text/html":                              true,
	"text/xml":                               true,
	"application/xml":                        true,
	"text/xsl":                               true,
	"application/xml-dtd":                    true,
	"text/xml-external-parsed-entity":        true,
	"application/xml-external-parsed-entity": true,
	"text/javascript":                        true,
	"text/ecmascript":                        true,
	"text/jscript":                           true,
	"text/livescript":                        true,
	"text/x-ecmascript":                      true,
	"text/x-javascript":                      true,
	"application/javascript":                 true,
	"application/ecmascript":                 true,
	"application/x-ecmascript":               true,
	"application/x-javascript":               true,
	"text/vbscript":                          true,
	"text/vbs":                               true,
	"text/x-server-parsed-html":              true,
	"image/svg":                              true,
	"image/svg-xml":                          true,
	"text/x-component":                       true,
	"text/x-scriptlet":                       true,
	"text/css":                               true,
	"text/cache-manifest":                    true,
	"application/wasm":                       true,
	"application/x-shockwave-flash":          true,
	"application/x-silverlight-app":          true,
	"application/java-archive":               true,
	"application/x-java-archive":             true,
	"application/x-jar":                      true,
	"application/x-java-jnlp-file":           true,
	"application/x-java-applet":              true,
	"application/hta":                        true,
	"application/x-ms-application":           true,
	"application/speculationrules+json":      true,
	"application/x-mimearchive":              true,
	"application/x-chrome-extension":         true,
	"application/x-xpinstall":                true,
}
