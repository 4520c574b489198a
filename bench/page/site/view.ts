import { byId, setText } from "./dom.ts";
import { drawFigures } from "./figures.ts";
import { newRequests, newTensors } from "./lists.ts";
import type { Run } from "./run.ts";
import { newStrip } from "./strip.ts";
import { cutsOf } from "./words.ts";

// Draws a run, once for each frame in which there is news.

export interface View {
  /** Draws this run from now on. @param title - what is loaded */
  show(run: Run, title: string): void;
  changed(): void;
  /** What the whole page takes in memory, as far as known. */
  wholePage(text: string): void;
}

export function newView(first: Run): View {
  const strip = newStrip();
  const [drawTensors, drawRequests] = [newTensors(), newRequests()];
  let run = first;
  let wholePage = "–";
  let cutsTold = 0;
  let due = false;

  function draw(): void {
    due = false;
    const behind = strip.draw(run.book);
    drawFigures(run, wholePage);
    drawTensors(run);
    drawRequests(run);
    const cuts = cutsOf(run);
    // Only what is rare is told as it happens: a screen reader reads all of it.
    if (cuts > cutsTold && run.endedAt === undefined)
      tell(`The connection was cut${cuts > 1 ? `, ${cuts} times` : ""}. Going on from there.`);
    cutsTold = cuts;
    if (behind) changed();
  }

  function changed(): void {
    if (!due) requestAnimationFrame(draw);
    due = true;
  }

  changed();
  return {
    show(now, title) {
      run = now;
      wholePage = "–";
      setText(byId("stageTitle"), title);
      changed();
    },
    changed,
    wholePage(text) {
      wholePage = text;
      changed();
    },
  };
}

/** Tells the user, in the one place for that. */
export function tell(text: string, bad = false): void {
  const status = byId("status");
  setText(status, text);
  status.classList.toggle("bad", bad);
}
