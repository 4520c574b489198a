// The server's end of the line: how fast, how often cut, how damaged.

export interface LineSettings {
  rate?: number;
  cutEvery?: number;
  damage?: string;
}

/** This page's own line. */
const LINE = crypto.randomUUID();

export function modelAddress(id: string): string {
  return `/models/${encodeURIComponent(id)}.quern?line=${LINE}`;
}

export async function setLine(settings: LineSettings): Promise<void> {
  await fetch(`/lines/${LINE}`, { method: "POST", body: JSON.stringify(settings) });
}

/** Cuts all that is under way. */
export async function cutLine(): Promise<void> {
  await fetch(`/lines/${LINE}/cut`, { method: "POST" });
}
