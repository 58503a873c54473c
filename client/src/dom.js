/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Omit<Partial<HTMLElementTagNameMap[Tag]>, "part"> & { part?: string }} properties
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * Sets what is not so already: a text that is set again is laid out again.
 *
 * @template {object} Target
 * @param {Target} target
 * @param {Partial<Target>} properties
 */
export function update(target, properties) {
  for (const key of /** @type {(keyof Target)[]} */ (Object.keys(properties))) {
    const value = /** @type {Target[keyof Target]} */ (properties[key]);
    if (target[key] !== value) target[key] = value;
  }
}

/** @type {Map<string, HTMLLinkElement>} */
const links = new Map();

/** Opens a connection to where something will go. @param {string} origin */
export function preconnect(origin) {
  links.get(origin)?.remove();
  const link = make("link", { rel: "preconnect", href: origin, crossOrigin: "anonymous" });
  links.set(origin, link);
  document.head.append(link);
}

/**
 * The language around an element, outwards through shadow trees.
 *
 * @param {Element} element
 */
export function languageOf(element) {
  /** @type {Element | null} */
  let at = element;
  while (at) {
    const speaking = /** @type {HTMLElement | null} */ (at.closest("[lang]"));
    if (speaking) return speaking.lang || "en";
    const root = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : null;
  }
  return "en";
}
