// What a file is called on the page: as the server cleans names, so that none can
// dress up as another. See internal/filename, which is tested with the same table.

const SEPARATORS = /[/\\\uFF0F\uFF3C\uFE68\uFFFD]/g;
const SPACES = /[\xA0\u1680\u2000-\u200A\u202F\u205F]/g;
const CONTEXTUAL = String.raw`[\u200C\u200D\p{Variation_Selector}\u{E0020}-\u{E007F}]`;
const PREPENDED = String.raw`[\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2\u{110BD}\u{110CD}]`;
const INVISIBLE = new RegExp(
  String.raw`(?!${CONTEXTUAL}|${PREPENDED})[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`, "gu");

/** @param {string} names */
const scripts = (names) => names.split(" ").map((name) => String.raw`\p{Script=${name}}`).join("");
const CURSIVE = scripts("Arabic Syriac Mongolian Nko Mandaic Adlam Hanifi_Rohingya Phags_Pa Manichaean");
const STACKING = scripts("Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Khmer Myanmar Tibetan " +
  "Tai_Tham Balinese Javanese Sundanese Meetei_Mayek Chakma Newa Tirhuta Grantha Sharada Kaithi Saurashtra Syloti_Nagri Lepcha Limbu");
const EMOJI = String.raw`\p{Extended_Pictographic}`;
// Where Unicode has a use for what is invisible, and else anywhere.
const STRAYS = new RegExp([
  String.raw`((?<=\u{1F3F4})[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{3,6}\u{E007F}`,
  String.raw`(?<=${EMOJI}[\u{1F3FB}-\u{1F3FF}\uFE0F\u{E0020}-\u{E007F}]*)\u200D(?=${EMOJI})`,
  String.raw`(?<=[${CURSIVE}${STACKING}]\p{M}*)[\u200C\u200D](?=(?:${CONTEXTUAL})*(?=[${CURSIVE}${STACKING}])[\p{L}\p{M}])`,
  String.raw`(?<=[${CURSIVE}]\p{M}*|[\u094D\u09CD\u0A4D\u0ACD\u0B4D\u0BCD\u0C4D\u0CCD\u0D4D\u0DCA])\u200D`,
  String.raw`(?<=${EMOJI})[\uFE0E\uFE0F]|(?<=[\d#*])[\uFE0E\uFE0F](?=\u20E3)`,
  String.raw`(?<=\p{Script=Han})[\u{E0100}-\u{E01EF}]|(?<=[\p{Script=Han}\p{Script=Myanmar}\p{Sm}])[\uFE00-\uFE0D]`,
  String.raw`(?<=\p{Script=Mongolian})[\u180B-\u180D\u180F])|${CONTEXTUAL}`,
].join("|"), "gu");

const ENDS = /^[. \u3000\uFF0E\u2024]+|[. \u3000\uFF0E\u2024]+$/g;
const DOTS = /^[. \u3000\uFF0E\u2024-\u2026]*$/;
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\xB9\xB2\xB3]) *(\.|$)/i;

/** @param {string} name */
export function cleanName(name) {
  let next = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
  let before;
  do {
    before = next;
    next = next.normalize("NFC").replace(SEPARATORS, "").replace(INVISIBLE, "").replace(SPACES, " ").replace(STRAYS, "$1").normalize("NFC");
    next = DOTS.test(next) ? "" : next.replace(ENDS, "");
    if (DEVICE.test(next)) next = `_${next}`;
  } while (next !== before);
  return next;
}

const RTL = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;

/**
 * A name within a text, which it does not disturb.
 *
 * @param {string} name
 */
export const isolated = (name) => (RTL.test(name) ? `\u2068${name}\u2069` : name);

/**
 * The two halves of a name, of which the first may be cut off at its end. A half does
 * not end within words that are written from right to left.
 *
 * @param {string} name
 * @returns {[string, string]}
 */
export function splitName(name) {
  const tail = (RTL.test(name) ? /\.[^.\s]{1,10}$/u : /[\w-]{0,3}(\.[^.\s]{1,10})?$/u).exec(name);
  const at = tail?.index ?? name.length;
  return [name.slice(0, at), name.slice(at)];
}
