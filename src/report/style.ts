/** What only this page has; the rest is of all pages. Colours of groups are told apart by any eyes (after Okabe and Ito). */
export const REPORT_STYLE = `
:root { --g0: #0072b2; --g1: #c44e00; --g2: #00795c; --g3: #a3468a; --g4: #8a6d00; --g5: #59636e; }
@media (prefers-color-scheme: dark) {
  :root { --g0: #56b4e9; --g1: #f0883e; --g2: #2fbf95; --g3: #dd9ac6; --g4: #e3c341; --g5: #9198a1; }
}
h3 { font-size: 1rem; margin: 1.75rem 0 .25rem; }
h4 { font-size: .9375rem; margin: 0; display: inline; overflow-wrap: anywhere; }
dl, dd { margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.tiles div { background: var(--panel); border: 1px solid var(--grid); border-radius: .5rem; padding: .75rem 1rem; }
.tiles dt { font-size: .875rem; color: var(--faint); }
.tiles .big { font-size: 1.6rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles .faint { font-size: .8125rem; line-height: 1.35; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .1rem 1.5rem; font-size: .875rem; }
.facts div { display: flex; gap: .5rem; min-width: 0; }
.facts dt { color: var(--faint); flex: none; }
.facts dd { overflow-wrap: anywhere; min-width: 0; }
.trouble { font-weight: 600; }
.bar { height: 1rem; overflow: visible; }
.before { fill: var(--faint); }
.after, .loss { fill: var(--ours); }
.whisker { stroke: var(--ink); stroke-width: 1.5; }
.level { stroke: var(--other); stroke-dasharray: 6 4; stroke-width: 1.5; }
.zero { stroke: var(--faint); stroke-dasharray: 2 3; }
.dot { fill: var(--ours); }
.dot-before { fill: var(--paper); stroke: var(--faint); stroke-width: 2; }
.ticks { display: block; width: 100%; height: 1rem; overflow: visible; }
.ticks text { font-size: 11px; font-weight: 400; }
summary { cursor: pointer; }
summary:focus-visible { outline: 2px solid var(--ours); outline-offset: 2px; }
details:not(.card) > summary { font-size: .875rem; color: var(--faint); margin: .5rem 0; }
.card { border: 1px solid var(--grid); border-radius: .5rem; padding: .5rem .75rem; margin: .5rem 0; }
.card > summary span { font-size: .8125rem; }
.card > p { font-size: .8125rem; }
.rule { margin-bottom: 0; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(12.5rem, 1fr)); gap: .5rem; margin: .5rem 0; }
.panels text { font-size: 11px; }
.values { text-anchor: end; }
.numbers { text-anchor: middle; }
.panels .numbers text { font-weight: 700; fill: var(--ink); }
.g0 { fill: var(--g0); } .g1 { fill: var(--g1); } .g2 { fill: var(--g2); }
.g3 { fill: var(--g3); } .g4 { fill: var(--g4); } .g5 { fill: var(--g5); }
.trials { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: .75rem; align-items: start; }
.trials table { font-size: .8125rem; }
.trials th, .trials td { padding: .2rem 0 .2rem .5rem; white-space: normal; }
.trials th:first-child { padding-left: 0; min-width: 0; }
.trials td:last-child { white-space: nowrap; }
.strip { overflow: visible; }
.strip text { font-size: 12px; }
.tries { fill: var(--ours); fill-opacity: .6; }
.ring { fill: none; stroke: var(--other); stroke-width: 2; }
.sets { columns: 2 13rem; font-size: .75rem; margin: .25rem 0; padding-left: 2rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: .75rem; }
.curves text { font-size: 11px; }
.curves .label { paint-order: stroke; stroke: var(--panel); stroke-width: 4; }
.curve { fill: none; stroke: var(--ours); stroke-width: 2; }
.wide tbody th, .wide td:has(bdi) { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
@media (max-width: 40rem) {
  th, td { padding: .3rem .4rem; }
  .wide tbody th { min-width: 6.5rem; }
  .tiles div { padding: .5rem .75rem; }
  .tiles .big { font-size: 1.35rem; }
}
`;
