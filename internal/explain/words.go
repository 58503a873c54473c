package explain

import "fmt"

// words are the sentence and the advice for what was found.
func words(in *Input, all []Difference) (cause, advice string) {
	if len(all) == 0 {
		return unexplained(in)
	}
	d := all[0]
	name := d.Name
	switch d.In {
	case Method:
		return fmt.Sprintf("The request was sent by %s; %s is signed.", d.Sent, d.Granted), "Send it by the grant's method."
	case Host:
		return fmt.Sprintf("The request has reached S3 for the host %q; %q is signed.", d.Sent, d.Granted),
			"Let whatever stands before S3 keep the Host header (nginx: proxy_set_header Host $http_host;), or set Bucket.PublicEndpoint to the address that S3 sees."
	case Path:
		return fmt.Sprintf("The path is %q; %q is signed.", d.Sent, d.Granted),
			"Use the grant's URL as it is, without decoding or encoding it again, and let no proxy change it."
	case Query:
		return named("query parameter", &d), "Use the grant's URL as it is: add nothing to it and leave nothing out."
	case Header:
		return ofHeader(&d)
	case FormField:
		return ofField(&d)
	case Size:
		return ofSize(&d)
	case Expired:
		return "The signature had expired" + at(d.Granted) + " when the request reached S3" + at(d.Sent) + ".",
			"Ask for a new grant; if it was made just now, set the clock of your server (postern doctor compares it), or give grants more time by WithGrantLifetime."
	case Clock:
		return fmt.Sprintf("The clocks differ too much: %s was signed, and S3 has %s.", or(d.Granted, "one time"), or(d.Sent, "another")),
			"Set the clock of your server: timedatectl set-ntp true."
	case Region:
		return fmt.Sprintf("The signature is for another region than the bucket's%s.", is(d.Sent)),
			"Set Bucket.Region" + to(d.Sent) + "."
	case AccessKey:
		if name != "" {
			return "S3 does not take the " + name + " any more.", "Let the credentials provider renew it: see the log for credentials_unavailable."
		}
		return "S3 does not know the access key that signed.", "Check the signing access key ID, and that it belongs to this server."
	case Secret:
		return "What was sent is what was granted, but the signature is another.",
			"The signing secret does not belong to its access key: set both again. If postern doctor finds it right, something between the browser and S3 changes the request."
	case Permission:
		return "The signing identity may not do this.", "Give it s3:PutObject under the prefix where grants write: postern iam prints its policy."
	case Bucket:
		return "There is no such bucket" + is(name) + ".", "Create it, or correct Bucket.Name and Bucket.Endpoint."
	case Exists:
		return "There is an object under the key already: the grant was used before.", "Ask for a new grant for every upload. If this was a retry, the upload has arrived: complete it."
	case UploadID:
		return "S3 does not know the upload in parts: it was completed, given up, or has expired.", "Begin the upload again."
	case Checksum:
		return "The bytes that arrived are not those whose checksum was declared.", "Compute the checksum of the bytes that are sent, after the file was chosen, and send them unchanged."
	case Unreachable:
		return "The page got no answer that it may read.",
			"Allow the page's origin in the bucket's CORS rule (postern cors prints it), name the bucket in connect-src of the page's Content-Security-Policy, and see that the browser reaches it."
	}
	return unexplained(in)
}

func unexplained(in *Input) (cause, advice string) {
	if in.Document.Code == "SignatureDoesNotMatch" {
		return "The signature is of another request than S3 has read, or was made with another secret.",
			"Save the page's traffic as a HAR file, and give it to postern explain: it compares what was sent with what was granted. postern doctor finds a wrong secret and a host that a proxy has changed."
	}
	return "Nothing of what is known differs.", "Look S3's message up by its code and request ID."
}

// named says how something with a name differs.
func named(what string, d *Difference) string {
	switch {
	case d.Missing:
		return fmt.Sprintf("The %s %s was not sent%s.", what, d.Name, granted(d.Granted))
	case d.Added:
		return fmt.Sprintf("The %s %s was sent, and is not granted.", what, d.Name)
	case d.Granted == "" && d.Sent == "":
		return fmt.Sprintf("The %s %s is not the one that was granted.", what, d.Name)
	case d.Sent == "":
		return fmt.Sprintf("The %s %s is not %q, which was granted.", what, d.Name, d.Granted)
	case d.Granted == "":
		return fmt.Sprintf("The %s %s is %q, which was not granted.", what, d.Name, d.Sent)
	}
	return fmt.Sprintf("The %s %s is %q; %q was granted.", what, d.Name, d.Sent, d.Granted)
}

func ofHeader(d *Difference) (cause, advice string) {
	switch {
	case d.Added && d.Name == "":
		return "A header was sent that is not signed.", "Send the grant's headers and no other x-amz-* header."
	case d.Added:
		return named("header", d), "Do not send " + d.Name + "; what is to be stored is set by WithAttributes, and what the page may choose by WithClientMetadata."
	case d.Missing:
		return named("header", d), "Send every header of the grant, exactly as it is; the bucket's CORS rule must allow " + d.Name + "."
	}
	return named("header", d), "Send the value that the grant has."
}

func ofField(d *Difference) (cause, advice string) {
	switch {
	case d.Added:
		return named("field", d), "Send the grant's fields and then the file, and nothing else."
	case d.Missing:
		return named("field", d), "Send every field of the grant, and the file after them: S3 reads no field behind it."
	}
	return named("field", d), "Send the value that the grant has."
}

func ofSize(d *Difference) (cause, advice string) {
	if d.Granted == "" && d.Sent == "" {
		return "The size is not the one that was granted.", "Send the file whose size was declared."
	}
	return fmt.Sprintf("The file has %s bytes; granted are %s.", or(d.Sent, "another number of"), or(d.Granted, "others")),
		"Declare the size of what is really sent: after compressing or resizing it, and again if the file has changed on disk."
}

func granted(value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf("; granted is %q", value)
}

func at(t string) string {
	if t == "" {
		return ""
	}
	return " at " + t
}

func is(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(", %q", name)
}

func to(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" to %q", name)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
