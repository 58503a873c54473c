// Writes the files of the corpus into a folder: documents by npm packages, pictures
// by ImageMagick, recordings by ffmpeg, archives, fonts and databases by the
// system's programs, and texts as editors save them.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import archiver from "archiver";
import { Document, Packer, Paragraph } from "docx";
import ExcelJS from "exceljs";
import { PDFDocument } from "pdf-lib";
import PptxGenJS from "pptxgenjs";
import XLSX from "xlsx";

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });
process.chdir(folder);

const run = (program, ...args) => execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
const write = (name, content) => writeFileSync(name, content);

async function documents() {
  const book = XLSX.utils.book_new();
  XLSX.utils.book_append_sheet(book, XLSX.utils.aoa_to_sheet([["id", "name", "amount"], [1, "Ada", 10]]), "Sheet");
  for (const [name, bookType] of Object.entries({
    "sheetjs.xlsx": "xlsx", "sheetjs.xlsm": "xlsm", "sheetjs.xlsb": "xlsb", "sheetjs.ods": "ods", "sheetjs.xls": "biff8",
    "sheetjs5.xls": "biff5", "sheetjs2.xls": "biff2", "sheetjs.csv": "csv", "sheetjs.txt": "txt", "sheetjs.slk": "sylk", "sheetjs.rtf": "rtf",
  })) {
    XLSX.writeFile(book, name, { bookType });
  }
  XLSX.writeFile(book, "sheetjs-deflated.xlsx", { bookType: "xlsx", compression: true });

  const workbook = new ExcelJS.Workbook();
  workbook.addWorksheet("Sheet").addRow([1, "Ada"]);
  await workbook.xlsx.writeFile("exceljs.xlsx");
  await workbook.csv.writeFile("exceljs.csv");

  const text = new Document({ sections: [{ children: [new Paragraph("Hello")] }] });
  write("docx.docx", await Packer.toBuffer(text));

  const slides = new PptxGenJS();
  slides.addSlide().addText("Hello", { x: 1, y: 1 });
  await slides.writeFile({ fileName: "pptxgenjs.pptx" });

  const pdf = await PDFDocument.create();
  pdf.addPage().drawText("Hello");
  write("pdf-lib.pdf", await pdf.save());
  write("pdf-lib-plain.pdf", await pdf.save({ useObjectStreams: false }));
}

function pictures() {
  run("convert", "-size", "64x48", "plasma:red-blue", "-depth", "8", "source.png");
  for (const name of [
    "im.jpg", "im.gif", "im.bmp", "im.tiff", "im.webp", "im.ico", "im.psd", "im.pcx", "im.tga", "im.ppm", "im.xpm", "im.xbm",
    "im.heic", "im.avif", "im.jp2", "im.dds", "im.sgi", "im.pgm",
  ]) {
    run("convert", "source.png", name);
  }
  run("convert", "source.png", "-compress", "none", "im-ascii.ppm");
  run("convert", "source.png", "-resize", "16x16", "png:favicon.ico"); // as sites have it
  run("convert", "source.png", "-define", "png:include-chunk=all", "-set", "comment", "a < b, and <em>more</em>", "im-comment.png");
}

function recordings() {
  const ffmpeg = (...args) => run("ffmpeg", "-y", "-loglevel", "error", "-threads", "1", ...args);
  const sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=1"];
  const film = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1"];
  for (const [name, ...options] of [
    ["ff.mp3"], ["ff-bare.mp3", "-write_xing", "0", "-id3v2_version", "0"], ["ff.m4a"], ["ff.aac"], ["ff.wav"], ["ff.aiff"], ["ff.flac"],
    ["ff.ogg", "-c:a", "libvorbis"], ["ff.oga", "-c:a", "flac"], ["ff.opus"], ["ff.weba", "-f", "webm", "-c:a", "libopus"],
    ["ff.mka"], ["ff.wma"], ["ff.au"], ["ff.caf"], ["ff.ac3"], ["ff-rf64.wav", "-rf64", "always"], ["ff.mp2"],
  ]) {
    ffmpeg(...sound, ...options, name);
  }
  // A picture of the album in front of the music.
  run("convert", "-size", "400x400", "plasma:", "cover.png");
  ffmpeg("-i", "ff.mp3", "-i", "cover.png", "-map", "0", "-map", "1", "-c", "copy", "-id3v2_version", "3", "-disposition:v", "attached_pic", "ff-cover.mp3");
  for (const [name, ...options] of [
    ["ff.mp4", "-c:v", "mpeg4"], ["ff-stream.mp4", "-c:v", "mpeg4", "-movflags", "frag_keyframe+empty_moov"], ["ff.mov", "-c:v", "mpeg4"],
    ["ff.m4v", "-c:v", "mpeg4"], ["ff.3gp", "-c:v", "h263", "-s", "128x96"], ["ff.3g2", "-c:v", "mpeg4"], ["ff.webm", "-c:v", "libvpx"],
    ["ff.mkv", "-c:v", "mpeg4"], ["ff.ogv", "-c:v", "libtheora"], ["ff.avi", "-c:v", "mpeg4"], ["ff.mpg", "-r", "25"], ["ff.ts", "-c:v", "mpeg2video", "-r", "25"],
    ["ff.m2ts", "-c:v", "mpeg2video", "-r", "25"], ["ff.flv"], ["ff.wmv"], ["ff.gif"], ["ff.apng", "-f", "apng"],
  ]) {
    ffmpeg(...film, ...options, name);
  }
  copyFileSync("ff.mov", "renamed.mp4");
}

async function archives() {
  write("one.txt", "one\n".repeat(50));
  write("two.txt", "two\n".repeat(50));
  run("zip", "-q", "-X", "info.zip", "one.txt", "two.txt");
  run("zip", "-q", "-0", "stored.zip", "one.txt", "source.png");
  const streamed = archiver("zip"); // writes lengths behind the files
  const chunks = [];
  streamed.on("data", (chunk) => chunks.push(chunk));
  streamed.file("one.txt", { name: "one.txt" }).file("two.txt", { name: "two.txt" });
  await streamed.finalize();
  write("streamed.zip", Buffer.concat(chunks));
  run("tar", "-cf", "gnu.tar", "one.txt", "two.txt");
  run("tar", "--format=v7", "-cf", "v7.tar", "one.txt");
  run("gzip", "-kf", "gnu.tar");
  run("bzip2", "-kf", "gnu.tar");
  run("xz", "-kf", "gnu.tar");
  run("zstd", "-qf", "gnu.tar", "-o", "gnu.tar.zst");
  run("7zr", "a", "-bd", "-y", "seven.7z", "one.txt");
  run("zip", "-q", "book.cbz", "source.png");
  mkdirSync("package/DEBIAN", { recursive: true });
  chmodSync("package/DEBIAN", 0o755);
  write("package/DEBIAN/control", "Package: hello\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: hello\n");
  run("dpkg-deb", "--build", "package", "hello.deb");
  run("sqlite3", "data.sqlite", "CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1);");

  const dejavu = "/usr/share/fonts/truetype/dejavu";
  copyFileSync(join(dejavu, "DejaVuSans.ttf"), "dejavu.ttf");
  run("woff2_compress", "dejavu.ttf");
  const otf = "/usr/share/fonts/opentype/urw-base35";
  copyFileSync(join(otf, readdirSync(otf).find((name) => name.endsWith(".otf"))), "urw.otf");
}

function texts() {
  const bom = "\ufeff";
  const utf16 = (s) => Buffer.from(bom + s, "utf16le");
  write("windows.csv", "id,name,amount\r\n1,Ada,10\r\n");
  write("excel-unicode.txt", utf16("id\tname\r\n1\tÅda\r\n"));
  write("latin1.csv", Buffer.from("id;name\r\n1;Müller\r\n", "latin1"));
  write("bom.csv", bom + "id,name\r\n1,Ada\r\n");
  write("sjis.txt", Buffer.from([0x93, 0xfa, 0x96, 0x7b, 0x8c, 0xea, 0x0a]));
  write("ansi.log", "\u001b[32mok\u001b[0m\n");
  write("centred.md", '<p align="center"><img src="logo.png"></p>\n\n# Title\n\n```html\n<script src="x.js"></script>\n```\n');
  write("notes.md", "# Notes\n\n* one\n");
  write("commented.md", "<!-- toc -->\n\n# Title\n");
  write("table.tsv", "id\tname\n1\tAda\n");
  write("data.json", '{"id": 1}\n');
  write("lines.ndjson", '{"id":1}\n{"id":2}\n');
  write("map.geojson", '{"type":"FeatureCollection","features":[]}\n');
  write("book.ipynb", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n');
  write("event.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n");
  write("card.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nEND:VCARD\r\n");
  write("film.srt", "1\n00:00:01,000 --> 00:00:02,000\nHello\n");
  write("film.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n");
  write("conf.yaml", "a: 1\nb: [2]\n");
  write("conf.toml", "[a]\nb = 1\n");
  write("conf.ini", "[a]\nb=1\n");
  write("dump.sql", "CREATE TABLE t (id INTEGER);\n");
  write("main.py", "#!/usr/bin/env python3\nprint(1)\n");
  write("run.sh", "#!/bin/sh\necho 1\n");
  write("app.ts", "export const a: number = 1;\n");
  write("main.go", "package main\n\nfunc main() {}\n");
  write("main.c", "/* main */\nint main(void) { return 0; }\n");
  write("paper.tex", "\\documentclass{article}\n\\begin{document}x\\end{document}\n");
  write("old.doc", "A text that was called a document.\r\n");
  write("id_ed25519.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHello ada@example.com\n");
  write("server.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
  write("cube.obj", "# cube\nv 0 0 0\nv 0 0 1\n");
  write("list.m3u8", "#EXTM3U\n#EXT-X-VERSION:3\n");
  write("change.diff", "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n");
}

await documents();
pictures();
recordings();
await archives();
texts();
