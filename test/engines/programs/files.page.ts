import { damaged, emptyReport, whole } from "./loading.ts";

// For a page with an input element: loads the files that the user chooses, and prints what came of it.

const input = document.querySelector("input") as HTMLInputElement;

async function inOwnSystem(name: string, file: File): Promise<FileSystemFileHandle> {
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle(name, { create: true });
  const writable = await handle.createWritable();
  await writable.write(file);
  await writable.close();
  return handle;
}

input.addEventListener("change", async () => {
  const [good, bad] = [...(input.files ?? [])] as [File, File];
  const report = emptyReport();
  await whole(report, "File", good, {});
  await damaged(report, "File", bad, {});
  await whole(report, "OPFS handle", await inOwnSystem("good.quern", good), {});
  await damaged(report, "OPFS handle", await inOwnSystem("bad.quern", bad), {});
  console.log(JSON.stringify(report));
});
document.title = "ready";
