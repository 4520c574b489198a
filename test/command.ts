import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

// The built command, run as a user runs it.

export const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command in a folder, and waits for its end. */
export function quernIn(folder: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd: folder, encoding: "utf8" }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}
