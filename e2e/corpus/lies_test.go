package corpus_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/internal/sniff"
)

const page = "<!DOCTYPE html><html><script>alert(document.domain)</script></html>"

// harmless are the types under which a lie would be told: those that wildcards
// admit, one of them unknown.
var harmless = []string{
	"image/png", "image/jpeg", "image/x-foo", "text/plain", "text/csv", "application/pdf", "application/json",
	"application/vnd.ms-excel", "audio/mpeg", "video/mp4", "font/woff2", "application/x-foo",
}

// lie is a file, and the types under which it is told: nil for all harmless ones.
type lie struct {
	bytes []byte
	types []string
}

// lies are by what they are.
func lies(t *testing.T) map[string]lie {
	png, jpeg, gif, pdf := head(t, "source.png"), head(t, "im.jpg"), head(t, "im.gif"), head(t, "pdf-lib.pdf")
	self, err := os.Executable()
	require.NoError(t, err)
	native, err := os.ReadFile(self)
	require.NoError(t, err)
	with := func(parts ...any) []byte { return fmt.Appendf(nil, strings.Repeat("%s", len(parts)), parts...) }
	return map[string]lie{
		"a page":                         {with(page), nil},
		"a page and a NUL":               {with(page, "\x00"), nil},
		"a page behind white space":      {with("\r\n\t ", page), nil},
		"a page with a mark":             {with("\xef\xbb\xbf", page), nil},
		"a page in UTF-16":               {utf16LE("\ufeff" + page), nil},
		"a page in UTF-16 without mark":  {utf16LE(page), nil},
		"a page behind a comment":        {with("<!-- \x00\x01 -->", page), nil},
		"a page in front of a picture":   {with(page, png), nil},
		"a page in front of a PDF":       {with(page, pdf), nil},
		"a frame":                        {with("<iframe src=//example.com></iframe>"), nil},
		"a handler":                      {with("<img src=x onerror=alert(1)>"), nil},
		"a vector graphic":               {with(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), nil},
		"a vector graphic and a NUL":     {with(`<svg onload="alert(1)"/>`, "\x00"), nil},
		"a vector graphic with a prolog": {with(`<?xml version="1.0" standalone="no"?><!DOCTYPE svg><svg onload="alert(1)"/>`), nil},
		"XHTML":                          {with(`<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>`), nil},
		"a style sheet of XML":           {with(`<?xml version="1.0"?><xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>`), nil},
		"PHP":                            {with("<?php system($_GET['x']);"), nil},
		"a shell script":                 {with("#!/bin/sh\nrm -rf ~\n"), nil},
		"a script of Windows":            {with("@echo off\r\nformat c:\r\n"), nil},
		"a script of Python":             {with("#!/usr/bin/env python3\nimport os\n"), nil},
		"a program of Windows":           {portableExecutable(), nil},
		"a program of Linux":             {native[:sniff.Length], nil},
		"a program of macOS":             {with("\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00\x10\x00\x00\x00"), nil},
		"a universal program of macOS":   {with("\xca\xfe\xba\xbe\x00\x00\x00\x02\x01\x00\x00\x07\x00\x00\x00\x03"), nil},
		"a class of Java":                {with("\xca\xfe\xba\xbe\x00\x00\x00\x41\x00\x1d\x0a\x00"), nil},
		"an archive of Java":             {javaArchive(t), append([]string{"application/zip"}, harmless...)},
		"WebAssembly":                    {with("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60"), nil},
		"a shortcut of Windows":          {with("L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"), nil},

		"a picture that is a script":           {with("GIF89a=1;alert(1)//"), []string{"image/gif"}},
		"a picture in a script's comment":      {with("GIF89a/*\x01\x00\x80\x00\x00*/=1;alert(1)//"), []string{"image/gif"}},
		"a bitmap in a script's comment":       {with("BM/*\x00\x00\x00\x00\x00\x00\x00\x00*/=1;alert(1)//"), []string{"image/bmp"}},
		"a photo in a script's comment":        {with("\xff\xd8\xff\xe0/*JFIF\x00", strings.Repeat("\x00", 64), "*/=1;alert(1)//"), []string{"image/jpeg"}},
		"a page in a picture":                  {insert(png, 33, page), []string{"image/png"}},
		"a page in a photo":                    {insert(jpeg, 20, page), []string{"image/jpeg"}},
		"PHP in a photo":                       {insert(jpeg, 20, "<?php eval($_POST['x']); ?>"), []string{"image/jpeg"}},
		"a page behind a picture":              {with(gif[:64], page), []string{"image/gif"}},
		"a page in a PDF":                      {with("%PDF-1.4\n", page, pdf), []string{"application/pdf"}},
		"a program in front of an archive":     {with(portableExecutable(), head(t, "info.zip")), []string{"application/zip"}},
		"a program in front of a PDF":          {with(portableExecutable(), pdf), []string{"application/pdf"}},
		"a script in front of an archive":      {with("#!/bin/sh\nexec unzip $0\n", head(t, "info.zip")), []string{"application/zip"}},
		"an archive as a document's name":      {head(t, "seven.7z"), []string{"application/vnd.openxmlformats-officedocument.wordprocessingml.document"}},
		"a page as some bytes":                 {with(page, "\x00"), []string{"application/octet-stream"}},
		"a vector graphic as some bytes":       {with("<svg onload=alert(1)>"), []string{"application/octet-stream"}},
		"a page as Markdown":                   {with(page), []string{"text/markdown"}},
		"a script as Markdown":                 {with("<p><script>alert(1)</script>"), []string{"text/markdown"}},
		"a handler as Markdown":                {with("<img src=x onerror=alert(1)>"), []string{"text/markdown"}},
		"a page of an unknown type, and a NUL": {with(page, "\x00"), []string{"application/vnd.example.never-heard-of"}},
		"a film as a picture":                  {head(t, "ff.mp4"), []string{"image/heic", "image/avif"}},
		"a picture as a film":                  {head(t, "im.heic"), []string{"video/mp4"}},
		"an archive as a picture":              {head(t, "info.zip"), []string{"image/png", "audio/mpeg", "text/plain"}},
	}
}

func utf16LE(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// portableExecutable returns the headers of a program (Microsoft's PE format).
func portableExecutable() []byte {
	b := make([]byte, 512)
	copy(b, "MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff")
	b[0x3c] = 0x80
	copy(b[0x40:], "\x0e\x1f\xba\x0e\x00\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21This program cannot be run in DOS mode.\r\r\n$")
	copy(b[0x80:], "PE\x00\x00\x64\x86\x03\x00")
	return b
}

func javaArchive(t *testing.T) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range []string{"META-INF/MANIFEST.MF", "Main.class"} {
		file, err := w.Create(name)
		require.NoError(t, err)
		_, err = file.Write([]byte("Manifest-Version: 1.0\n"))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func insert(file []byte, at int, s string) []byte {
	return append(append(bytes.Clone(file[:at]), s...), file[at:]...)
}

func TestLiesAreRefused(t *testing.T) {
	told, accepted := 0, []string{}
	for what, lie := range lies(t) {
		types := lie.types
		if types == nil {
			types = harmless
		}
		for _, declared := range types {
			granted, err := mediatype.Parse(declared)
			require.NoError(t, err)
			told++
			if verdict, found := sniff.Judge(lie.bytes[:min(sniff.Length, len(lie.bytes))], granted.Essence); verdict != sniff.Contradicts {
				accepted = append(accepted, fmt.Sprintf("%s as %s: %s, %s", what, declared, verdict, found))
			}
		}
	}
	fmt.Printf("%d lies: %d accepted\n", told, len(accepted))
	require.GreaterOrEqual(t, told, 60)
	require.Empty(t, accepted)
}
