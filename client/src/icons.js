// Icons of 24 by 24, drawn by one path each.

const SVG = "http://www.w3.org/2000/svg";
const CROSS = "M6 6l12 12M18 6 6 18";
const ARROW = "M12 15V4M7 9l5-5 5 5M4 15v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3";

export const ICONS = {
  upload: ARROW,
  choose: ARROW,
  pause: "M9 6v12M15 6v12",
  resume: "M8 5v14l11-7z",
  retry: "M20 4v5h-5M20 9a8.5 8.5 0 1 0 .5 4",
  cancel: CROSS,
  remove: CROSS,
};

/** @param {string} path */
export function icon(path = "") {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.ariaHidden = "true";
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
