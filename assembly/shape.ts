import { codeLengths } from "./lengths";
import { costOf } from "./cost";
import { PIVOT_LIMIT } from "./tree";

// Code lengths for a pivoted code. Its speed is decided by how deep the flats lie, so lengths are chosen by bits and depth together, where
// a Huffman code looks at bits alone: usually two merges a symbol instead of three or four, for 0.1 % more bits.
// A search over how many symbols get each length, level by level, symbols taken in an order of falling counts. States that agree in the
// symbols placed and the places open are one; those whose places are far too many or too few for the counts left are dropped.

/** What a merge of one byte may cost in bits: 1/16, so 1/128 byte (docs/DECISIONS.md). */
const LAMBDA: f64 = 0.0625;
/** Merges that a node costs besides those of its symbols, in every block: calls, and the ends of its loops. */
const NODE_COST: f64 = 100;

// A partial code.
/** @unmanaged A state of the search, 16 bytes. */
@unmanaged
class State {
  /** Bits and LAMBDA times merges, of all symbols placed. */
  cost: f64;
  /** Places left at its level. */
  open: u16;
  /** Index of the stop up to which symbols are placed. */
  stop: u16;
  parent: u16;
  /** Symbols that got the length before. */
  taken: u16;
}
const STATE: usize = 16;
/** Index of the best complete code; those before it are partial. */
const BEST: i32 = 4095;

// The scratch, 128 KiB: states, their index by stop and open places, sums of counts, mean widths, two orders of symbols, stops.
const INDEX: usize = STATE * ((BEST + 1) as usize);
const SUMS: usize = INDEX + 2 * 96 * 129;
const WIDTHS: usize = SUMS + 8 * 257;
const ORDER: usize = WIDTHS + 8 * 257;
const OTHER: usize = ORDER + 256;
const STOPS: usize = OTHER + 256;
const LENGTHS: usize = STOPS + 256;
const KEYS: usize = LENGTHS + 512;

// @ts-ignore: decorator
@inline
function stateAt(scratch: usize, index: i32): State {
  return changetype<State>(scratch + (index as usize) * STATE);
}

// @ts-ignore: decorator
@inline
function sum(scratch: usize, place: i32): f64 {
  return load<f64>(scratch + SUMS + (place << 3));
}

/**
 * Lengths of at most 12 bits for 256 u32 counts at hist, those of a payload of `blocks` blocks, as 256 bytes at dst; 0 = absent.
 * scratch: 128 KiB; work: 80 KiB. Returns the count of present symbols; with fewer than two all lengths are 0.
 */
export function pivotLengths(hist: usize, blocks: i32, dst: usize, scratch: usize, work: usize): i32 {
  const present = codeLengths(hist, PIVOT_LIMIT, dst, scratch);
  if (present < 2) return present;
  let least = costOf(hist, dst, work);
  sortByCount(hist, scratch);
  if (!search(scratch, present, blocks)) return present;
  spreadFromMode(hist, scratch);
  const lengths = scratch + LENGTHS;
  for (let order = ORDER; order <= OTHER; order += 256) {
    giveLengths(scratch, scratch + order, lengths);
    const cost = costOf(hist, lengths, work);
    if (cost >= least) continue;
    least = cost;
    memory.copy(dst, lengths, 256);
  }
  return present;
}

// Falling counts, then rising symbols.
function sortByCount(hist: usize, scratch: usize): void {
  for (let symbol = 0; symbol < 256; symbol++) {
    const key = ((load<u32>(hist + (symbol << 2), 0, 1) as u64) << 8) | (255 - symbol);
    let at = scratch + KEYS + (symbol << 3);
    for (; at > scratch + KEYS && load<u64>(at - 8) < key; at -= 8) store<u64>(at, load<u64>(at - 8));
    store<u64>(at, key);
  }
  let total: f64 = 0;
  for (let place = 0; place < 256; place++) {
    const key = load<u64>(scratch + KEYS + (place << 3));
    store<u8>(scratch + ORDER + place, 255 - (key as u8));
    store<f64>(scratch + SUMS + (place << 3), total);
    total += (key >> 8) as f64;
  }
  store<f64>(scratch + SUMS + 2048, total);
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

// Where a length may end: everywhere among the first sixteen symbols, then at every second, then at every fourth; and behind the last.
function findStops(scratch: usize, present: i32): i32 {
  let stops = 0;
  for (let place = 0; place <= 256; place += place < 16 ? 1 : place < 32 ? 2 : 4) {
    store<u16>(scratch + STOPS + (stops++ << 1), place as u16);
    const next = place + (place < 16 ? 1 : place < 32 ? 2 : 4);
    if (place < present && present < next) store<u16>(scratch + STOPS + (stops++ << 1), present as u16);
  }
  return stops;
}

// Finds the cheapest complete code, as a state whose `taken` are all that were open; false if there is none.
function search(scratch: usize, present: i32, blocks: i32): bool {
  const stops = findStops(scratch, present);
  for (let taken = 1; taken <= 256; taken++) store<f64>(scratch + WIDTHS + (taken << 3), meanWidth(taken));
  memory.fill(scratch + INDEX, 0, 2 * 96 * 129);
  const root = stateAt(scratch, 0);
  root.cost = 0;
  root.open = 1;
  root.stop = 0;
  stateAt(scratch, BEST).cost = Infinity;
  const nodeCost = LAMBDA * NODE_COST * (blocks as f64);
  let from = 0;
  let end = 1;
  for (let level = 0; level <= PIVOT_LIMIT; level++) {
    const levelEnd = end;
    for (; from < levelEnd; from++) end = extend(scratch, from, level, end, stops, present, nodeCost);
    for (let i = levelEnd; i < end; i++) store<u16>(indexOf(scratch, stateAt(scratch, i).stop, stateAt(scratch, i).open), 0);
  }
  return stateAt(scratch, BEST).cost < Infinity;
}

// @ts-ignore: decorator
@inline
function indexOf(scratch: usize, stop: i32, open: i32): usize {
  return scratch + INDEX + ((stop * 129 + (open >> 1)) << 1);
}

// @ts-ignore: decorator
@inline
function stopAt(scratch: usize, stop: i32): i32 {
  return load<u16>(scratch + STOPS + (stop << 1));
}

// Count of the symbol at a place of the order.
// @ts-ignore: decorator
@inline
function countAt(scratch: usize, place: i32): f64 {
  return sum(scratch, place + 1) - sum(scratch, place);
}

// Adds the states that follow from one, whose next symbols get the length `level`. A place at this level should hold about the mean
// count of what is left: symbols far rarer wait, symbols far more frequent may not. Returns the end of the states.
function extend(scratch: usize, from: i32, level: i32, end: i32, stops: i32, present: i32, nodeCost: f64): i32 {
  const state = stateAt(scratch, from);
  const open = state.open as i32;
  const first = stopAt(scratch, state.stop);
  const placed = sum(scratch, first);
  const total = sum(scratch, 256);
  const mean = (total - placed) / (open as f64);
  for (let stop = state.stop as i32; stop < stops; stop++) {
    const next = stopAt(scratch, stop);
    const taken = next - first;
    const left = open - taken;
    if (left < 0) break;
    if (taken > 0 && level < PIVOT_LIMIT - 1 && next <= present && countAt(scratch, next - 1) * 2 < mean) break;
    if (next < present && countAt(scratch, next) > mean * 2) continue;
    if (popcnt(taken) > 3) continue;
    const counts = sum(scratch, next) - placed;
    let cost = state.cost + (popcnt(taken) as f64) * nodeCost;
    if (taken > 0) cost += counts * (level + LAMBDA * (level - load<f64>(scratch + WIDTHS + (taken << 3))));
    if (left == 0) {
      const best = stateAt(scratch, BEST);
      if (next >= present && cost < best.cost) setState(best, cost, 0, stop, from, taken);
      continue;
    }
    if (level == PIVOT_LIMIT || 2 * left > 256 - next) continue;
    const need = (present - next + (1 << (PIVOT_LIMIT - level)) - 1) >> (PIVOT_LIMIT - level);
    if (left < need) continue;
    const rest = total - placed - counts;
    const room = (left as f64) * mean;
    const spike = taken == 1 && countAt(scratch, first) > mean;
    if (!spike && (room < 0.8 * rest || room > 1.3 * rest + 1.5 * mean * ((present - next) as f64) * exp2(level))) continue;
    const at = indexOf(scratch, stop, 2 * left);
    let same = load<u16>(at) as i32;
    if (same == 0) {
      if (end == BEST) continue;
      same = end++;
      store<u16>(at, same as u16);
    } else if (stateAt(scratch, same).cost <= cost) continue;
    setState(stateAt(scratch, same), cost, 2 * left, stop, from, taken);
  }
  return end;
}

// 2^(level - PIVOT_LIMIT).
// @ts-ignore: decorator
@inline
function exp2(level: i32): f64 {
  return ((1 << level) as f64) / ((1 << PIVOT_LIMIT) as f64);
}

// @ts-ignore: decorator
@inline
function setState(state: State, cost: f64, open: i32, stop: i32, parent: i32, taken: i32): void {
  state.cost = cost;
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
    const end = stopAt(scratch, state.stop);
    for (let place = end - (state.taken as i32); place < end; place++) store<u8>(lengths + load<u8>(order + place), depth as u8);
  }
}

// Sum of width * 2^width over the flats of a length, by symbol.
function meanWidth(taken: i32): f64 {
  let sum = 0;
  for (let left = taken; left > 0; left &= left - 1) sum += ctz(left) << ctz(left);
  return (sum as f64) / (taken as f64);
}
