import { codeLengths } from "./lengths";
import { costOf, NODE_STEPS, pivotSize, STEPS_PER_BYTE } from "./cost";
import { buildTree, PIVOT_LIMIT } from "./tree";

// Code lengths for a pivoted code. Its speed is decided by how deep the flats lie, so lengths are chosen by bits and depth together, where
// a Huffman code looks at bits alone: usually two merges a symbol instead of three or four, for 0.1 % more bits.
// A search over how many symbols get each length, level by level, symbols taken in an order of falling counts. States that agree in the
// symbols placed and the places open are one; those whose places are far too many or too few for the counts left are dropped, and
// those that, with the entropy of what is left, cost more than the best of their level by more than a slack.

/** What a merge of one byte may cost in bits. */
const LAMBDA: f64 = 8 / STEPS_PER_BYTE;

/** Merges that a symbol not yet placed is taken to need, when states of a level are compared. */
const GUESS: f64 = 3;
/**
 * How far a state may be behind the best of its level, in bits a symbol not yet placed, for an alphabet of 256. At 0.04 the codes of 14
 * of 19 sets measured are those of the search without it, the others trade up to 0.1 % of size against 0.2 merges, and it takes a seventh of the time.
 */
const SLACK: f64 = 0.04;
/** The share of all symbols but the most frequent that counts as not yet placed at every level: without it, deep levels end nowhere. */
const FLOOR: f64 = 0.25;

// A partial code.
/** @unmanaged A state of the search, 24 bytes. */
@unmanaged
class State {
  /** Bits and LAMBDA times merges, of all symbols placed. */
  cost: f64;
  /** The same of all symbols: what is left is taken to get lengths as if they could be fractions. */
  whole: f64;
  /** Places left at its level. */
  open: u16;
  /** Index of the stop up to which symbols are placed. */
  stop: u16;
  parent: u16;
  /** Symbols that got the length before. */
  taken: u16;
}
const STATE: usize = 24;
/** Index of the best complete code; those before it are partial. */
const BEST: i32 = 2047;

// Where a length may end.
/** @unmanaged A place in the order of symbols, 40 bytes. */
@unmanaged
class Stop {
  /** Sum of the counts before it. */
  sum: f64;
  /** Entropy of the counts behind it, in bits. */
  ideal: f64;
  /** The counts on both sides. */
  before: f64;
  after: f64;
  place: i32;
}
const STOP: usize = 40;

// The scratch, 128 KiB: states, their index by stop and open places, stops, two orders of symbols, lengths, keys and digits to sort.
const INDEX: usize = STATE * ((BEST + 1) as usize);
const STOPS: usize = INDEX + 2 * 96 * 129;
const ORDER: usize = STOPS + STOP * 96;
const OTHER: usize = ORDER + 256;
const LENGTHS: usize = OTHER + 256;
const KEYS: usize = LENGTHS + 256;
const DIGITS: usize = KEYS + 2 * 2048;
// Behind what codeLengths uses.
const HUFFMAN: usize = 65536;

/** A code so near to the entropy is as good as that of Huffman. */
const NEAR: f64 = 1.01;

// By count of symbols that get one length: their mean width. And logarithms of the counts of open places.
const WIDTHS = memory.data(8 * 257, 16);
const LOGS = memory.data(8 * 257, 16);

function build(): void {
  for (let taken = 1; taken <= 256; taken++) {
    let sum = 0;
    for (let left = taken; left > 0; left &= left - 1) sum += ctz(left) << ctz(left);
    store<f64>(WIDTHS + (taken << 3), (sum as f64) / (taken as f64));
    store<f64>(LOGS + (taken << 3), log2(taken as f64));
  }
}

build();

// Plain arithmetic, so that every tier and engine finds the same code; off by less than 0.0001.
function log2(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  const m = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  const y = (m - 1) / (m + 1);
  const z = y * y;
  return (((bits >> 52) as i32) - 1023) as f64 + 2.8853900817779268 * y * (1 + z * (0.3333333333 + z * (0.2 + z * 0.1428571429)));
}

// @ts-ignore: decorator
@inline
function stateAt(scratch: usize, index: i32): State {
  return changetype<State>(scratch + (index as usize) * STATE);
}

// @ts-ignore: decorator
@inline
function stopAt(scratch: usize, index: i32): Stop {
  return changetype<Stop>(scratch + STOPS + (index as usize) * STOP);
}

/**
 * Lengths of at most 12 bits for 256 u32 counts at hist, those of a payload of `blocks` blocks, as 256 bytes at dst; 0 = absent.
 * scratch: 128 KiB; work: 80 KiB. Returns the count of present symbols; with fewer than two all lengths are 0.
 */
export function pivotLengths(hist: usize, blocks: i32, dst: usize, scratch: usize, work: usize): i32 {
  memory.fill(dst, 0, 256);
  const present = presentIn(hist);
  if (present < 2) return present;
  sortByCount(hist, scratch);
  const stops = findStops(hist, scratch, present);
  const entropy = stopAt(scratch, 0).ideal;
  // A small alphabet has few states, so it can afford a wide search.
  let slack = (SLACK * 256) / (present as f64);
  let found = search(scratch, stops, present, blocks, slack);
  for (; !found && slack < 1; slack *= 4) found = search(scratch, stops, present, blocks, slack * 4);
  spreadFromMode(hist, scratch);
  const lengths = scratch + LENGTHS;
  let least: f64 = Infinity;
  for (let order = ORDER; found && order <= OTHER; order += 256) {
    giveLengths(scratch, scratch + order, lengths);
    least = keepCheaper(hist, lengths, dst, least, work);
  }
  // The search passes over codes that are rare among weights. Those of Huffman take as long to find as all the rest.
  if (found) {
    buildTree(dst, work);
    if ((pivotSize(hist, work) as f64) * 8 < NEAR * entropy) return present;
  }
  codeLengths(hist, PIVOT_LIMIT, scratch + HUFFMAN, scratch);
  keepCheaper(hist, scratch + HUFFMAN, dst, least, work);
  return present;
}

// Copies lengths to dst if they cost less than `least`, and returns what the cheaper ones cost.
function keepCheaper(hist: usize, lengths: usize, dst: usize, least: f64, work: usize): f64 {
  const cost = costOf(hist, lengths, work);
  if (cost >= least) return least;
  memory.copy(dst, lengths, 256);
  return cost;
}

function presentIn(hist: usize): i32 {
  let present = 0;
  for (let symbol = 0; symbol < 256; symbol++) present += (load<u32>(hist + (symbol << 2), 0, 1) > 0) as i32;
  return present;
}

// Falling counts, then rising symbols: keys sorted by one digit of the count after the other.
function sortByCount(hist: usize, scratch: usize): void {
  let from = scratch + KEYS;
  let to = from + 2048;
  let most: u32 = 0;
  for (let symbol = 0; symbol < 256; symbol++) {
    const count = load<u32>(hist + (symbol << 2), 0, 1);
    most |= count;
    store<u64>(from + (symbol << 3), ((count as u64) << 8) | symbol);
  }
  for (let shift: u64 = 8; most > 0; most >>= 8, shift += 8) {
    const digits = scratch + DIGITS;
    memory.fill(digits, 0, 1024);
    for (let i = 0; i < 2048; i += 8) {
      const at = digits + ((((load<u64>(from + i) >> shift) & 255) as usize) << 2);
      store<u32>(at, load<u32>(at) + 8);
    }
    let place: u32 = 0;
    for (let at = digits + 1020; at >= digits; at -= 4) {
      const count = load<u32>(at);
      store<u32>(at, place);
      place += count;
    }
    for (let i = 0; i < 2048; i += 8) {
      const key = load<u64>(from + i);
      const at = digits + ((((key >> shift) & 255) as usize) << 2);
      const place = load<u32>(at);
      store<u64>(to + (place as usize), key);
      store<u32>(at, place + 8);
    }
    const sorted = to;
    to = from;
    from = sorted;
  }
  for (let place = 0; place < 256; place++) store<u8>(scratch + ORDER + place, load<u8>(from + (place << 3)));
}

// The other order: from the most frequent symbol outwards to both sides, so that symbols of one length make two runs at most, which
// unpack without a table. For a bell-shaped distribution it hardly differs from the order by counts. Absent symbols come last.
function spreadFromMode(hist: usize, scratch: usize): void {
  const order = scratch + OTHER;
  const mode = load<i8>(scratch + ORDER) as i32;
  let first = 0;
  let last = 256;
  for (let below = mode, above = mode + 1; below >= -128 || above <= 127; ) {
    const down = above > 127 || (below >= -128 && count(hist, below) >= count(hist, above));
    const value = down ? below-- : above++;
    store<u8>(order + (count(hist, value) > 0 ? first++ : --last), value as u8);
  }
}

// @ts-ignore: decorator
@inline
function count(hist: usize, value: i32): u32 {
  return load<u32>(hist + ((value & 255) << 2), 0, 1);
}

// A length may end everywhere among the first sixteen symbols, then at every second, then at every fourth; and behind the last.
function findStops(hist: usize, scratch: usize, present: i32): i32 {
  let stops = 0;
  let sum: f64 = 0;
  let entropy: f64 = 0;
  let before: f64 = 0;
  for (let place = 0; place <= 256; place++) {
    const after: f64 = place < 256 ? (count(hist, load<u8>(scratch + ORDER + place)) as f64) : 0;
    if (place == present || (place & (place < 16 ? 0 : place < 32 ? 1 : 3)) == 0) {
      const stop = stopAt(scratch, stops++);
      stop.sum = sum;
      stop.ideal = entropy;
      stop.before = before;
      stop.after = after;
      stop.place = place;
    }
    sum += after;
    if (after > 0) entropy += after * log2(after);
    before = after;
  }
  for (let i = 0; i < stops; i++) {
    const stop = stopAt(scratch, i);
    const rest = sum - stop.sum;
    stop.ideal = rest > 0 ? rest * log2(rest) - (entropy - stop.ideal) : 0;
  }
  return stops;
}

// Finds the cheapest complete code, as a state whose `taken` are all that were open; false if there is none.
function search(scratch: usize, stops: i32, present: i32, blocks: i32, slack: f64): bool {
  memory.fill(scratch + INDEX, 0, 2 * 96 * 129);
  const root = stateAt(scratch, 0);
  root.cost = 0;
  root.whole = 0;
  root.open = 1;
  root.stop = 0;
  stateAt(scratch, BEST).cost = Infinity;
  const nodeCost = LAMBDA * NODE_STEPS * (blocks as f64);
  const total = stopAt(scratch, stops - 1).sum;
  const floor = FLOOR * (total - stopAt(scratch, 0).after);
  let from = 0;
  let end = 1;
  for (let level = 0; level <= PIVOT_LIMIT && from < end; level++) {
    const levelEnd = end;
    let best = from;
    for (let i = from + 1; i < levelEnd; i++) if (stateAt(scratch, i).whole < stateAt(scratch, best).whole) best = i;
    const rest = total - stopAt(scratch, stateAt(scratch, best).stop).sum;
    const most = stateAt(scratch, best).whole + slack * (floor + rest);
    for (; from < levelEnd; from++) {
      if (stateAt(scratch, from).whole <= most) end = extend(scratch, from, level, end, stops, present, nodeCost);
    }
    for (let i = levelEnd; i < end; i++) store<u16>(indexOf(scratch, stateAt(scratch, i).stop, stateAt(scratch, i).open), 0);
  }
  return stateAt(scratch, BEST).cost < Infinity;
}

// @ts-ignore: decorator
@inline
function indexOf(scratch: usize, stop: i32, open: i32): usize {
  return scratch + INDEX + ((stop * 129 + (open >> 1)) << 1);
}

// Adds the states that follow from one, whose next symbols get the length `level`. A place at this level should hold about the mean
// count of what is left: symbols far rarer wait, symbols far more frequent may not. Returns the end of the states.
function extend(scratch: usize, from: i32, level: i32, end: i32, stops: i32, present: i32, nodeCost: f64): i32 {
  const state = stateAt(scratch, from);
  const open = state.open as i32;
  const start = stopAt(scratch, state.stop);
  const first = start.place;
  const total = stopAt(scratch, stops - 1).sum;
  const mean = (total - start.sum) / (open as f64);
  for (let index = state.stop as i32; index < stops; index++) {
    const stop = stopAt(scratch, index);
    const next = stop.place;
    const taken = next - first;
    const left = open - taken;
    if (left < 0) break;
    if (taken > 0 && level < PIVOT_LIMIT - 1 && next <= present && stop.before * 2 < mean) break;
    if (next < present && stop.after > mean * 2) continue;
    if (popcnt(taken) > 3) continue;
    const counts = stop.sum - start.sum;
    let cost = state.cost + (popcnt(taken) as f64) * nodeCost;
    if (taken > 0) cost += counts * (level + LAMBDA * (level - load<f64>(WIDTHS + (taken << 3))));
    if (left == 0) {
      const best = stateAt(scratch, BEST);
      if (next >= present && cost < best.cost) setState(best, cost, cost, 0, index, from, taken);
      continue;
    }
    if (level == PIVOT_LIMIT || 2 * left > 256 - next) continue;
    const need = (present - next + (1 << (PIVOT_LIMIT - level)) - 1) >> (PIVOT_LIMIT - level);
    if (left < need) continue;
    const rest = total - stop.sum;
    const room = (left as f64) * mean;
    const spike = taken == 1 && start.after > mean;
    if (!spike && (room < 0.8 * rest || room > 1.3 * rest + 1.5 * mean * ((present - next) as f64) * exp2(level))) continue;
    const at = indexOf(scratch, index, 2 * left);
    let same = load<u16>(at) as i32;
    if (same == 0) {
      if (end == BEST) continue;
      same = end++;
      store<u16>(at, same as u16);
    } else if (stateAt(scratch, same).cost <= cost) continue;
    const whole = cost + LAMBDA * GUESS * rest + leastBits(scratch, index, 2 * left, level + 1, total);
    setState(stateAt(scratch, same), cost, whole, 2 * left, index, from, taken);
  }
  return end;
}

// Bits of the symbols behind a stop, if lengths from `level` on, for which there are `open` places, could be fractions.
// @ts-ignore: decorator
@inline
function leastBits(scratch: usize, index: i32, open: i32, level: i32, total: f64): f64 {
  let bits: f64 = 0;
  let stop = stopAt(scratch, index);
  let rest = total - stop.sum;
  for (; stop.place < 16 && open > 1 && stop.after * (open as f64) > rest; open--) {
    bits += stop.after * (level as f64);
    stop = stopAt(scratch, ++index);
    rest = total - stop.sum;
  }
  return bits + stop.ideal + rest * ((level as f64) - load<f64>(LOGS + (open << 3)));
}

// 2^(level - PIVOT_LIMIT).
// @ts-ignore: decorator
@inline
function exp2(level: i32): f64 {
  return ((1 << level) as f64) / ((1 << PIVOT_LIMIT) as f64);
}

// @ts-ignore: decorator
@inline
function setState(state: State, cost: f64, whole: f64, open: i32, stop: i32, parent: i32, taken: i32): void {
  state.cost = cost;
  state.whole = whole;
  state.open = open as u16;
  state.stop = stop as u16;
  state.parent = parent as u16;
  state.taken = taken as u16;
}

// Lengths of the symbols of an order under the best code. A state at depth k from the root took symbols of length k - 1.
function giveLengths(scratch: usize, order: usize, lengths: usize): void {
  memory.fill(lengths, 0, 256);
  let depth = 0;
  for (let i = BEST; i > 0; i = stateAt(scratch, i).parent) depth++;
  for (let i = BEST; i > 0; i = stateAt(scratch, i).parent) {
    const state = stateAt(scratch, i);
    depth--;
    const end = stopAt(scratch, state.stop).place;
    for (let place = end - (state.taken as i32); place < end; place++) store<u8>(lengths + load<u8>(order + place), depth as u8);
  }
}
