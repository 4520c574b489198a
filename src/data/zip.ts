import { type ByteSource, bytesSource, readExactly } from "../bytes.ts";
import { demand } from "../errors.ts";
import { inflated } from "./inflate.ts";

// Members of a .zip file, as much of it as .npz needs. What is stored is read by ranges, and its checksum is not looked at; what is deflated is inflated
// whole when it is opened, up to 256 MiB.

export interface Member {
  readonly name: string;
  readonly method: number;
  readonly stored: number;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record, and a comment behind it. */
const MAX_TAIL = 22 + 65535;
/** A list of members is read whole. */
const MAX_LIST = 2 ** 24;

/** @throws FormatError; zip64 (members or files of 4 GiB) is refused too */
export async function readZip(source: ByteSource): Promise<Member[]> {
  const size = source.byteLength;
  const from = Math.max(0, size - MAX_TAIL);
  const tail = viewOf(await readExactly(source, from, size));
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  demand(at >= 0, "truncated", from, "zip end record", "a record", "none");
  const [count, length, start] = [
    tail.getUint16(at + 10, true),
    tail.getUint32(at + 12, true),
    tail.getUint32(at + 16, true),
  ];
  const most = Math.min(MAX_LIST, from + at);
  demand(
    length <= most && start <= from + at - length,
    "zip",
    from + at + 12,
    "zip list",
    `within ${most} bytes`,
    `${length} at ${start}`,
  );
  const list = await readExactly(source, start, start + length);
  const members: Member[] = [];
  for (let next = 0; members.length < count; ) {
    const { member, end } = memberAt(list, next, start, start);
    members.push(member);
    next = end;
  }
  return members;
}

function memberAt(list: Uint8Array, at: number, base: number, most: number): { member: Member; end: number } {
  const view = viewOf(list);
  demand(at + 46 <= list.length, "truncated", base + at, "zip entry", "46 bytes", list.length - at);
  const signature = view.getUint32(at, true);
  demand(signature === ENTRY, "magic", base + at, "zip entry", ENTRY.toString(16), signature.toString(16));
  const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
  demand((flags & 1) === 0, "zip", base + at + 8, "zip flags", "no encryption", flags);
  demand(method === 0 || method === 8, "zip", base + at + 10, "zip method", "0 (stored) or 8 (deflated)", method);
  const [crc, stored, size] = [
    view.getUint32(at + 16, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 24, true),
  ];
  const nameEnd = at + 46 + view.getUint16(at + 28, true);
  const end = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  demand(end <= list.length, "truncated", base + at + 28, "zip entry", `${end - at} bytes`, list.length - at);
  const offset = view.getUint32(at + 42, true);
  const within = offset + 30 + stored <= most && (method === 8 || stored === size);
  demand(
    within,
    "zip",
    base + at + 20,
    "zip member",
    `within ${most} bytes (zip64 is not read)`,
    `${stored} (${size}) at ${offset}`,
  );
  const name = new TextDecoder().decode(list.subarray(at + 46, nameEnd));
  return { member: { name, method, stored, size, crc, offset }, end };
}

/** The bytes of a member. @throws FormatError */
export async function openMember(
  source: ByteSource,
  { name, method, stored, size, crc, offset }: Member,
): Promise<ByteSource> {
  const field = JSON.stringify(name);
  const local = viewOf(await readExactly(source, offset, offset + 30));
  const signature = local.getUint32(0, true);
  demand(signature === LOCAL, "magic", offset, `zip header of ${field}`, LOCAL.toString(16), signature.toString(16));
  // This header has lengths of its own.
  const start = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  demand(
    start + stored <= source.byteLength,
    "truncated",
    offset + 26,
    field,
    `${stored} bytes`,
    source.byteLength - start,
  );
  if (method === 0) return { byteLength: size, slice: (from, to) => readExactly(source, start + from, start + to) };
  const bytes = await readExactly(source, start, start + stored);
  return bytesSource(await inflated({ bytes, size, crc, offset: start, field }));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
