// The element's style sheet. What pages may set are the custom properties
// --postern-…; those with an underscore are the element's own.

export const css = `
:host {
  --_accent: var(--postern-accent, light-dark(#3b57c8, #93a8ff));
  --_muted: var(--postern-muted, color-mix(in srgb, currentcolor 70%, transparent));
  --_surface: var(--postern-surface, color-mix(in srgb, currentcolor 3%, transparent));
  --_line: var(--postern-line, color-mix(in srgb, currentcolor 50%, transparent));
  --_track: var(--postern-track, color-mix(in srgb, currentcolor 11%, transparent));
  --_good: var(--postern-good, light-dark(#17794a, #5fce97));
  --_bad: var(--postern-bad, light-dark(#b8291b, #ff9a8c));
  --_radius: var(--postern-radius, 0.75rem);
  display: block;
  line-height: 1.5;
}
:host([hidden]), [hidden] { display: none !important }
* { box-sizing: border-box }
button { border: 0; background: none; color: inherit; font: inherit; cursor: pointer }
button:disabled { opacity: 0.55; cursor: default }
button:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px }
svg { width: 1.25rem; fill: none; stroke: currentcolor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round }
[part=drop] { display: flex; align-items: center; justify-content: center; gap: 1rem; width: 100%; padding: 2rem 1.25rem; border: 1.5px dashed var(--_line); border-radius: var(--_radius); background: var(--_surface) }
:host([compact]) [part=drop] { display: inline-flex; gap: 0.5rem; width: auto; max-width: 100%; padding: 0.375rem 0.875rem 0.375rem 0.5rem; border-style: solid }
:host([compact]) [part=icon] { padding: 0.25rem; background: none }
:host(:not([compact]):state(filled)) [part=drop] { padding-block: 1rem }
[part=drop]:enabled:hover, :host(:state(over)) [part=drop] { border-color: var(--_accent) }
:host(:state(over)) [part=drop] { border-style: solid; background: color-mix(in srgb, var(--_accent) 10%, var(--_surface)) }
[part=icon] { display: grid; padding: 0.625rem; border-radius: 50%; background: color-mix(in srgb, var(--_accent) 13%, transparent); color: var(--_accent) }
.words { display: grid; min-width: 0; text-align: start }
[part=prompt], [part=name] { font-weight: 600 }
[part=hint], [part=detail] { color: var(--_muted); font-size: 0.875em }
[part=notice] { margin: 0; padding-top: 0.5rem; color: var(--_bad); font-size: 0.9375em }
[part=summary] { display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: center; gap: 0 0.75rem; padding: 0.75rem 0.75rem 0 }
[part=summary] [part=bar] { grid-column: 1 / -1 }
[part=count] { font-weight: 600 }
[part=rate] { min-height: 1.5em; color: var(--_muted); font-size: 0.875em }
[part=folds] { display: flex; gap: 0.5rem; padding-top: 0.5rem }
[part=folds] button { padding: 0.25rem 0.75rem; border-radius: calc(var(--_radius) * 0.66); color: var(--_accent); font-size: 0.9375em }
[part=folds] button:enabled:hover { background: var(--_track) }
[part=list] { display: grid; gap: 0.5rem; margin: 0; padding: 0.5rem 0 0; list-style: none }
[part~=file] { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; align-items: center; gap: 0 0.75rem; padding: 0.625rem 0.75rem; border: 1px solid color-mix(in srgb, var(--_line) 35%, transparent); border-radius: var(--_radius); background: var(--_surface) }
[part~=failed] { border-color: color-mix(in srgb, var(--_bad) 45%, transparent) }
[part=preview] { position: relative; display: grid; place-items: center; width: 2.75rem; height: 2.75rem; overflow: hidden; border-radius: calc(var(--_radius) * 0.66); background: var(--_track); color: var(--_muted); font-size: 0.6875rem; font-weight: 700 }
:is(img, video, iframe) { position: absolute; width: 100%; height: 100%; border: 0; object-fit: cover }
:host([previews]) [part=preview] { width: 5rem; height: 5rem }
[part=name] { overflow: hidden }
bdi { display: inline-flex; max-width: 100%; white-space: pre; vertical-align: bottom }
bdi :first-child { overflow: hidden; text-overflow: ellipsis }
bdi :last-child { flex: none }
[part=detail], [part=summary] { font-variant-numeric: tabular-nums }
[part=message]::before { content: " · "; color: var(--_muted) }
[part~=done] [part=message] { color: var(--_good) }
[part~=failed] [part=message] { display: block; color: var(--_bad) }
[part~=failed] [part=message]::before { content: none }
[part=actions] { display: flex }
[part~=button] { display: grid; place-content: center; width: 2.25rem; height: 2.25rem; padding: 0; border-radius: calc(var(--_radius) * 0.66); color: var(--_muted) }
[part~=button][aria-disabled] { opacity: 0.55; cursor: default }
[part~=button]:enabled:hover { background: var(--_track) }
[part=bar] { grid-column: 2 / -1; height: 0.3125rem; margin-top: 0.375rem; overflow: hidden; border-radius: 1rem; background: var(--_track) }
[part=fill] { width: 0; height: 100%; border-radius: inherit; background: var(--_accent) }
:is([part~=paused], [part~=unfinished]) [part=fill] { background: var(--_line); transition: none }
:is([part~=done], [part~=failed], [part~=cancelled]) [part=bar] { display: none }
[role=status] { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media (prefers-reduced-motion: no-preference) { [part=fill] { transition: width 0.15s linear } }
:is(.many, [part=summary]) [part=fill] { transition: none }
@media (forced-colors: active) {
  [part=bar] { border: 1px solid }
  [part=fill] { background: Highlight !important }
}`;
