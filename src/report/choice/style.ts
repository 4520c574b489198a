/** Of pages that tell of a choice. */
export const CHOICE_STYLE = `
p, .reasons { overflow-wrap: anywhere; }
.mark { stroke-width: 1.5; stroke: var(--panel); }
.legend .mark { stroke: var(--paper); } .legend .hollow { fill: var(--paper); }
.mark-space { fill: var(--ours); } .mark-refined { fill: var(--other); } .mark-tuned { fill: var(--kept); }
.mark.hollow { fill: var(--panel); }
svg .mark-space.hollow { stroke: var(--ours); } svg .mark-refined.hollow { stroke: var(--other); } svg .mark-tuned.hollow { stroke: var(--kept); }
.curves .ring, .legend .ring { stroke: var(--ink); stroke-width: 2; fill: none; }
.measured { fill: none; stroke: var(--g2); stroke-width: 1.5; }
.whiskers { fill: none; stroke: var(--faint); stroke-opacity: .55; }
.faint-lines { stroke-opacity: .25; }
.front { fill: none; stroke: var(--ink); stroke-opacity: .55; stroke-width: 1.25; }
.waiting { stroke: var(--faint); stroke-width: 1.25; fill: none; }
.grid, .rows { fill: none; } .rows { stroke: var(--faint); stroke-opacity: .6; }
.limit { paint-order: stroke; stroke: var(--panel); stroke-width: 4; }
svg .limit { fill: var(--other); font-weight: 600; }
.number { paint-order: stroke; stroke: var(--panel); stroke-width: 3; }
.legend .level { fill: none; }
.met { color: var(--g2); font-weight: 600; } .missed { color: var(--g1); font-weight: 600; }
.identities { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: .75rem; }
.identities text { font-size: 11px; }
.share-bytes { fill: var(--ours); } .share-time { fill: var(--other); }
.choices table { margin: .5rem 0; font-size: .8125rem; }
.choices th, .choices td { padding: .2rem 0 .2rem .5rem; }
.choices tr:has(.bar) th { min-width: 0; }
.choices td:has(.bar) { min-width: 3rem; width: 25%; }
.reasons dt { font-size: .875rem; margin-top: .6rem; }
.reasons dd { font-size: .8125rem; padding-left: 1rem; }
@media print {
  main { max-width: none; padding: 0; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .wide { overflow: visible; }
  .wide td, .wide th { white-space: normal; overflow-wrap: anywhere; }
  figure, tr, .tiles div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  svg, .tiles div { print-color-adjust: exact; }
}
`;
