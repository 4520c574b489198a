import { element, type Markup, nameOf } from "../../page/markup.ts";
import { section } from "../../page/words.ts";
import type { Excluded } from "../../strategy/filter.ts";
import type { ReportedChoice } from "./points.ts";
import { clipped } from "./words.ts";

// Every candidate that is not the answer, by why it is not.

interface Kind {
  readonly title: string;
  /** Of reasons, as strategy words them. */
  readonly of: RegExp;
}

/** The first that fits. What the environment excludes comes first: one wants to know what another place would change. */
const KINDS: readonly Kind[] = [
  { title: "The environment cannot run it", of: /^the original runs there and this would not\b/ },
  { title: "The model cannot have it", of: /^the weight "|^run \w+ needs weights of / },
  { title: "The same as another one for this model", of: /^the same as "/ },
  { title: "Another one is better in something, and worse in nothing", of: /" beats it: / },
  { title: "Whatever it loses, it misses a limit", of: /^its (latency is at least|file takes|memory is) / },
  {
    title: "Run, and too lossy on all samples",
    of: /^on all samples it loses |^its loss is .* on the samples of trials/,
  },
  { title: "Run, and its loss was too large", of: /^its loss is / },
  { title: "Run, and the answer loses less or takes less", of: /^it (loses|takes) / },
  { title: "Not run: its loss was reckoned to be out of reach", of: /^not tried: by the errors / },
  { title: "Not run: the trials were used up", of: /^not tried: the trials / },
  { title: "Not run: another one that meets the limits goes first", of: /^not tried: / },
  { title: "Run, and no better by the goal", of: /^(as good as "|its (latency|size|load) is )/ },
];
const OTHER = "For other reasons";
/** Reasons of a kind that are written out; the others are counted. */
const REASONS = 200;

interface Group {
  readonly title: string;
  readonly all: readonly Excluded[];
}

export function lostOf({ answer }: ReportedChoice): Markup | null {
  const groups = groupsOf(lostIn(answer));
  if (groups.length === 0) return null;
  const count = groups.reduce((sum, { all }) => sum + all.length, 0);
  const excluded = groups.find(({ title }) => title === (KINDS[0] as Kind).title)?.all.length ?? 0;
  const place =
    excluded === 0
      ? "The environment excluded none."
      : `The environment excluded ${excluded} of them: see the first list.`;
  return section(
    "lost",
    "Why not the others",
    element("p", {}, `${count === 1 ? "One candidate is" : `${count} candidates are`} not the answer. ${place}`),
    element("h3", {}, "All of them, by why"),
    ...groups.map(groupOf),
  );
}

/** Refined ones are among the trials alone. */
function lostIn({ rejected, trials }: ReportedChoice["answer"]): Excluded[] {
  const known = new Set(rejected.map(({ candidate }) => candidate));
  const others = trials.flatMap(({ plan, lost }) =>
    lost === null || known.has(plan) ? [] : [{ candidate: plan, reason: lost }],
  );
  return [...rejected, ...others];
}

function groupsOf(lost: readonly Excluded[]): Group[] {
  const found = new Map<string, Excluded[]>();
  for (const one of lost) {
    const title = KINDS.find(({ of }) => of.test(one.reason))?.title ?? OTHER;
    found.set(title, [...(found.get(title) ?? []), one]);
  }
  return [...KINDS.map(({ title }) => title), OTHER].flatMap((title) => {
    const all = found.get(title);
    return all ? [{ title, all }] : [];
  });
}

function groupOf({ title, all }: Group): Markup {
  const byReason = new Map<string, string[]>();
  for (const { candidate, reason } of all) byReason.set(reason, [...(byReason.get(reason) ?? []), candidate]);
  const shown = [...byReason].slice(0, REASONS);
  const items = shown.map(([reason, plans]) =>
    element(
      "div",
      {},
      element("dt", {}, nameOf(clipped(reason, 300))),
      ...plans.map((plan) => element("dd", {}, element("code", {}, nameOf(clipped(plan))))),
    ),
  );
  const more = byReason.size - shown.length;
  return element(
    "details",
    { class: "card" },
    element("summary", {}, element("h4", {}, title), " ", element("span", { class: "faint" }, `${all.length}`)),
    element("dl", { class: "reasons" }, ...items),
    more > 0 ? element("p", { class: "faint" }, `And ${more} other reasons.`) : null,
  );
}
