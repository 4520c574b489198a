/** What all pages look like: nothing is fetched. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #59636e; --paper: #fff; --panel: #f6f8fa; --grid: #d8dee4;
  --ours: #1f6feb; --other: #bc4c00; --kept: #8250df; --scales: #bf8700; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --faint: #9198a1; --paper: #0d1117; --panel: #161b22; --grid: #30363d;
    --ours: #58a6ff; --other: #f0883e; --kept: #bc8cff; --scales: #d29922; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
.lead { font-size: 1.1rem; }
.faint { color: var(--faint); }
code { overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: .75rem 0 1.25rem; }
.wide:focus-visible { outline: 2px solid var(--ours); }
table { border-collapse: collapse; font-size: .875rem; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: .25rem; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--grid); white-space: nowrap; vertical-align: middle; }
th { font-weight: 600; }
th:first-child { text-align: left; padding-left: 0; }
thead th { white-space: normal; }
tbody th { font-weight: 400; }
tr:has(.bar) th { white-space: normal; overflow-wrap: anywhere; min-width: 15rem; }
td:has(.bar) { width: 35%; min-width: 6rem; }
svg text { fill: var(--faint); font: 13px system-ui, sans-serif; }
svg .label { fill: var(--ink); font-weight: 600; }
.plot { display: block; width: 100%; min-width: 34rem; height: auto; }
.grid, .axis { stroke: var(--grid); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: .5rem 0; font-size: .875rem; }
.key { width: .875rem; height: .875rem; margin-right: .4rem; vertical-align: -.1rem; }
.bar { display: block; width: 100%; height: .8rem; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .5rem; background: var(--panel); border-radius: .375rem; min-width: 0; }
figure svg { display: block; width: 100%; }
figcaption { font-size: .75rem; line-height: 1.35; overflow-wrap: anywhere; }
@media (max-width: 40rem) { tr:has(.bar) th { min-width: 7.5rem; } }
`;
