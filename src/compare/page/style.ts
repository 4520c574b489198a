/** What only this page has; the rest is of all pages. */
export const OWN_STYLE = `
.leader { stroke: var(--faint); stroke-width: .75; }
.gap { stroke: var(--faint); stroke-dasharray: 2 3; }
.curve { fill: none; stroke: var(--ours); stroke-width: 2; }
.ours { fill: var(--ours); }
.other { fill: var(--other); }
.same { fill: var(--paper); stroke: var(--other); stroke-width: 2; }
.equal { fill: var(--paper); stroke: var(--ours); stroke-width: 2; }
.bar-codes { fill: var(--ours); }
.bar-scales { fill: var(--scales); }
.bar-kept { fill: var(--kept); }
.bar-header { fill: var(--faint); }
figcaption span { display: block; }
.weights { fill: var(--ours); }
.step { stroke: var(--other); stroke-width: 1.5; fill: none; }
`;
